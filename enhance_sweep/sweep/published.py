"""Others' weights instead of a training: a network that is scored and timed as those trained here are."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from torch import nn

from enhance_sweep.config import ConfigError
from enhance_sweep.data.pairs import Pairs
from enhance_sweep.settings import Settings
from enhance_sweep.training.evaluation import score
from enhance_sweep.training.fit import Fitted
from enhance_sweep.weights.loading import weights_for

#: Stands where a seed stands: nothing is known of theirs.
_SEED = "published"


def published(settings: Settings, pairs: Pairs) -> Fitted:
    """The network with the weights that settings name, as a training of no steps would leave it.

    Its curve is one point: what it scores on the validation pairs, so that it is chosen as others are.

    Raises:
        ConfigError: the file is missing, or holds another network's weights.
    """
    network, curve = _loaded(settings), []
    if pairs.validation is not None:
        scores = score(network, pairs.validation)
        means = scores.means()
        curve = [{"step": 0, **{name: means[name] for name in scores.values}}]
    return Fitted(network, steps=0, quality=curve, wall_s=0.0)


def what_is_known(settings: Settings, pairs: Pairs) -> dict[str, Any]:
    """What a record says instead of what decided the weights: the file, and the data and loss that it is compared with.

    Raises:
        ConfigError: the weights cannot be used.
    """
    if settings.teacher.teaches:
        raise ConfigError("weights: published weights learn from no teacher: leave out teacher.network")
    _loaded(settings)
    file = Path(str(settings.weights)).expanduser()
    return {
        "dataset": pairs.dataset,
        "data_fingerprint": pairs.fingerprint,
        "loss": settings.loss["name"],
        "seed": _SEED,
        "weights": file.name,
        "weights_fingerprint": _fingerprint(file),
    }


def _loaded(settings: Settings) -> nn.Module:
    try:
        return weights_for(settings.model, Path(str(settings.weights)).expanduser())
    except (FileNotFoundError, ValueError) as error:
        raise ConfigError(f"weights: {error}") from error


@cache
def _fingerprint(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
