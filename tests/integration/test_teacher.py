"""A teacher from the command line to the record and the report, and what never reaches it."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from enhance_sweep.config import ConfigError, compose_settings
from enhance_sweep.data.pairs import DataError, Pixels
from enhance_sweep.data.scenes import choose_scenes
from enhance_sweep.models import PlainGenerator
from enhance_sweep.records import load_records
from enhance_sweep.report import gather
from enhance_sweep.sweep import teacher as teaching
from enhance_sweep.sweep.forecast import past_of, show
from enhance_sweep.sweep.plan import Plan, plan_variant
from enhance_sweep.sweep.variant import run_variant

LEARN = "stages=[train,evaluate]"


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """Two photographs without partners."""
    folder = tmp_path / "phone"
    (folder / "trip").mkdir(parents=True)
    for seed, (name, size) in enumerate({"a.png": (100, 60), "trip/b.jpg": (60, 130)}.items()):
        small = np.random.default_rng(90 + seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(folder / name)
    return folder


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which nothing has been taught."""
    monkeypatch.setenv("ENHANCE_SWEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Pixels]:
    """All patches that a teacher is shown."""
    patches: list[Pixels] = []
    teach = teaching.taught

    def noted(network: Any, some: Pixels, *others: Any) -> Pixels:
        patches.extend(np.array(some))
        return teach(network, some, *others)

    monkeypatch.setattr(teaching, "taught", noted)
    return patches


@pytest.fixture
def of_pairs(quick: list[str], photographs: Path, tmp_path: Path) -> list[str]:
    """Overrides for a quick run on aligned pairs."""
    for side, light in (("input", 0.7), ("target", 1.0)):
        (tmp_path / "city" / side).mkdir(parents=True)
        for path in photographs.iterdir():
            with Image.open(path) as file:
                pixels = (np.asarray(file) * light).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "city" / side / path.name)
    others = [one for one in quick if not one.startswith("data.")]
    return [*others, "data=pairs", f"data.root={tmp_path / 'city'}", "data.patch_size=48"]


def planned(*overrides: str) -> Plan:
    return plan_variant(compose_settings([*overrides, LEARN]))


def run(*overrides: str) -> Plan:
    outcome = run_variant(compose_settings([*overrides, LEARN]))
    assert outcome["status"] == "completed", outcome["reason"]
    return planned(*overrides)


def test_a_trained_network_teaches_another(
    quick: list[str], trained: Path, phone: Path, own_cache: Path, shown: list[Pixels]
) -> None:
    alone = run(*quick, "model.channels=3")
    assert not shown
    overrides = [*quick, "model.channels=3", f"teacher={trained.name}", "teacher.weight=0.5"]
    taught = run(*overrides, f"data.unlabelled={phone}")
    record, pairs = taught.trained_record(), taught.pairs
    assert record is not None
    assert pairs is not None
    assert taught.teaching is not None
    assert taught.teaching.unlabelled is not None
    of_data = {"dataset": "own-photos", "data_fingerprint": pairs.fingerprint}
    assert record.learned_from["teacher"] == {
        "name": trained.name,
        "weight": 0.5,
        "fingerprint": taught.teaching.teacher.fingerprint,
        "trained_on": of_data,
    }
    assert record.learned_from["unlabelled"] == {
        "fingerprint": taught.teaching.unlabelled.fingerprint,
        "photographs": 2,
        "share": 0.5,
    }
    assert record.data is not None
    assert record.data["unlabelled"] == {"folder": "phone", "photographs": 2, "patches": 4}
    assert "taught" in (taught.folder / "losses.csv").read_text().partition("\n")[0]
    assert len(shown) == len(pairs.train) + 4

    rows = load_records(taught.runs_dir).set_index("key")
    assert rows.loc[taught.key, "taught_by"] == trained.name
    assert rows.loc[taught.key, "teacher_trained_on"] == "own-photos"
    assert rows.loc[taught.key, "unlabelled_photographs"] == 2
    results = gather(taught.runs_dir)
    meanings = [one.meaning for one in results.training_conditions]
    assert sum("taught by nobody" in one for one in meanings) == 1
    told = f"taught by {trained.name} (weight 0.5, itself trained on own-photos)"
    assert sum(told in one and "photographs without partners 2 (50% of the crops)" in one for one in meanings) == 1
    assert alone.key in rows.index

    del shown[:]
    run(*overrides, f"data.unlabelled={phone}", "model.channels=4")
    assert not shown, "another variant reads what was computed"


@pytest.fixture
def mixed(of_pairs: list[str], photographs: Path, tmp_path: Path) -> list[str]:
    """Overrides for a quick run on photographs and on aligned pairs."""
    return [
        *(one for one in of_pairs if not one.startswith("data")),
        *("data=mix", "~data.parts.dped", "~data.shares.dped"),
        *(f"data.parts.photos.root={photographs}", "data.parts.photos.patch_size=48", "data.parts.photos.shots=1"),
        *("+data@data.parts.city=pairs", f"data.parts.city.root={tmp_path / 'city'}", "+data.shares.city=1"),
        "data.parts.city.patch_size=48",
    ]


@pytest.mark.parametrize("data", ["photos", "pairs", "mix"])
def test_nothing_of_a_test_or_validation_pair_reaches_a_teacher(
    data: str,
    quick: list[str],
    of_pairs: list[str],
    mixed: list[str],
    trained: Path,
    phone: Path,
    own_cache: Path,
    shown: list[Pixels],
) -> None:
    overrides = {"photos": quick, "pairs": of_pairs, "mix": mixed}[data]
    plan = run(*overrides, "model.channels=3", f"teacher={trained}", f"data.unlabelled={phone}")
    assert plan.pairs is not None
    assert plan.teaching is not None
    assert plan.teaching.unlabelled is not None
    assert plan.pairs.validation is not None
    seen = {patch.tobytes() for patch in shown}
    allowed = [plan.pairs.train.input, plan.teaching.unlabelled.patches]
    assert seen == {patch.tobytes() for patches in allowed for patch in patches}
    for split in (plan.pairs.test, plan.pairs.validation):
        assert not seen & {patch.tobytes() for images in split.images for patch in images}


def test_photographs_of_test_pairs_are_refused_as_ones_without_partners(
    quick: list[str], of_pairs: list[str], trained: Path, tmp_path: Path, own_cache: Path
) -> None:
    for overrides, folder in ((quick, compose_settings(quick).data["root"]), (of_pairs, tmp_path / "city" / "input")):
        with pytest.raises(DataError, match=r"has pixels of a test or validation pair.*Move these out") as caught:
            planned(*overrides, "model.channels=3", f"teacher={trained}", f"data.unlabelled={folder}")
        assert str(caught.value).count(".png has pixels") == 3, "not the one that is learned from"


def test_a_teacher_that_learned_from_test_pairs_is_refused(
    quick: list[str], photographs: Path, own_cache: Path, tmp_path: Path
) -> None:
    test, _ = choose_scenes(path.stem for path in photographs.iterdir())
    names = [f"p{number}" for number in range(4)]
    kept = set.union(*choose_scenes(names))
    others = sorted({path.stem for path in photographs.iterdir()} - test) + sorted(test)[1:]
    (tmp_path / "other").mkdir()
    for name in names:  # what the teacher learns from is a test photograph here
        source = others.pop() if name in kept else sorted(test)[0]
        shutil.copyfile(photographs / f"{source}.png", tmp_path / "other" / f"{name}.png")
    its_own = [one for one in quick if not one.startswith("data.root")]
    knowing = run(*its_own, f"data.root={tmp_path / 'other'}", "model.channels=3")
    with pytest.raises(
        ConfigError, match=rf"teacher {knowing.key} learned from own-photos, of whose .* have pixels of"
    ):
        planned(*quick, f"teacher={knowing.key}")


def test_without_a_teacher_and_at_weight_0_all_is_as_before(quick: list[str], trained: Path) -> None:
    alone = planned(*quick, "model.channels=3")
    idle = planned(*quick, "model.channels=3", f"teacher={trained}", "teacher.weight=0")
    assert alone.key == idle.key
    assert idle.teaching is None
    assert alone.learned_from is not None
    assert not {"teacher", "unlabelled"} & set(alone.learned_from)


def test_the_key_names_no_place(quick: list[str], trained: Path, phone: Path, tmp_path: Path) -> None:
    moved = [shutil.copytree(one, tmp_path / "moved" / one.name) for one in (trained, phone)]
    keys = {
        planned(*quick, "model.channels=3", f"teacher={teacher}", f"data.unlabelled={folder}").key
        for teacher, folder in (
            (trained.name, phone),
            (trained, phone),
            (trained / "generator.pt", moved[1]),
            (moved[0], phone),
        )
    }
    assert len(keys) == 1
    for other in ("teacher.weight=2", "data.unlabelled_share=0.4", "trainer.batch_size=5"):
        keys.add(planned(*quick, "trainer.batch_size=4", f"teacher={trained}", f"data.unlabelled={phone}", other).key)
    assert len(keys) == 4


def test_an_interrupted_pass_goes_on_where_it_was(
    quick: list[str], trained: Path, own_cache: Path, shown: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    from enhance_sweep.data import kept

    monkeypatch.setattr(kept, "_CHUNK", 2)
    teach, overrides = teaching.taught, [*quick, "model.channels=3", f"teacher={trained}", LEARN]

    def interrupted(*arguments: Any) -> Pixels:
        if len(shown) >= 4:
            raise KeyboardInterrupt
        return teach(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(teaching, "taught", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_variant(compose_settings(overrides))
    assert len(shown) == 4
    plan = run(*overrides)
    assert plan.pairs is not None
    assert len(shown) == len(plan.pairs.train), "no patch was shown twice"


def test_the_forecast_counts_a_pass_once(
    quick: list[str], trained: Path, phone: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variants = [[*quick, f"model.channels={channels}"] for channels in (3, 4)]
    taught = [planned(*one, f"teacher={trained}", f"data.unlabelled={phone}") for one in variants]
    alone = [planned(*one) for one in variants]
    past = past_of(alone)
    extra_s = [past.seconds(taught[:count]) - past.seconds(alone[:count]) for count in (1, 2)]
    assert extra_s[0] == pytest.approx(extra_s[1])
    show(alone)
    assert "Teachers" not in capsys.readouterr().out
    show(taught)
    assert taught[0].pairs is not None
    megapixels = (len(taught[0].pairs.train) + 4) * 48**2 / 1e6
    assert f"Teachers have {megapixels:.1f} megapixels to enhance first" in capsys.readouterr().out
    assert extra_s[0] > 0
    run(*variants[0], f"teacher={trained}", f"data.unlabelled={phone}")
    again = planned(*variants[1], f"teacher={trained}", f"data.unlabelled={phone}")
    assert past.seconds([again]) == pytest.approx(past.seconds([alone[1]]))


# --- what cannot teach ------------------------------------------------------------------------------------------------


def _npz(folder: Path, spoil: Callable[[dict[str, Any]], None]) -> Path:
    weights = {name: value.numpy() for name, value in PlainGenerator(3, 4, 1).state_dict().items()}
    spoil(weights)
    np.savez(folder / "theirs.npz", **weights)
    return folder / "theirs.npz"


def _nan(weights: dict[str, Any]) -> None:
    next(iter(weights.values()))[0] = np.nan


def test_published_weights_teach_with_their_network(quick: list[str], tmp_path: Path) -> None:
    file = _npz(tmp_path, lambda weights: None)
    plan = planned(
        *quick,
        f"teacher={file}",
        "teacher.model=model=plain model.channels=4 model.blocks=1",
        "teacher.trained_on=DPED",
    )
    assert plan.learned_from is not None
    teacher = plan.learned_from["teacher"]
    assert (teacher["name"], teacher["trained_on"]) == ("theirs", "DPED")


@pytest.mark.parametrize(
    ("spoil", "model", "message"),
    [
        (_nan, "model=plain model.channels=4 model.blocks=1", r"theirs\.npz: .* holds values that are not numbers"),
        (
            dict.clear,
            "model=plain model.channels=4",
            r"^teacher\.network: .*, as the network has, got 0",
        ),
        (dict.copy, "model=plain model.channels=8 model.blocks=1", r"expected shape \(8, .*check the overrides"),
        (dict.copy, "", r'does not say which network it is.*"teacher\.model=model=plain'),
        (dict.copy, "trainer.max_steps=3", r"teacher\.network: trainer\.max_steps=3: expected a network's setting"),
        (dict.copy, "model=nonsense", r"^teacher\.network: .*nonsense"),
    ],
)
def test_weights_that_cannot_teach_say_why(
    spoil: Callable[[dict[str, Any]], None], model: str, message: str, quick: list[str], tmp_path: Path
) -> None:
    overrides = [f"teacher={_npz(tmp_path, spoil)}", *([f"teacher.model={model}"] if model else [])]
    with pytest.raises(ConfigError, match=message) as caught:
        planned(*quick, *overrides)
    assert "\n" not in str(caught.value)


def test_a_teacher_that_is_not_there_or_not_finished_says_so(quick: list[str], trained: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected a key in .*runs, a folder .* and nowhere is none of them"):
        planned(*quick, "teacher=nowhere")
    record = trained / "record.json"
    record.write_text(record.read_text().replace('"completed"', '"running"', 1))
    with pytest.raises(ConfigError, match="its training is running: finish it before it teaches"):
        planned(*quick, f"teacher={trained}")
    (trained / "generator.pt").unlink()
    with pytest.raises(ConfigError, match=r"has no generator\.pt: its training is not finished"):
        planned(*quick, f"teacher={trained.name}")
    with pytest.raises(ConfigError, match=r"data\.unlabelled=/x: only a teacher can judge .* there is no teacher"):
        planned(*quick, "data.unlabelled=/x")


def test_the_command_ends_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "enhance_sweep", "teacher=nowhere", f"runs_dir={tmp_path}", "dry_run=true"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines()[-1].startswith("error: teacher.network: expected a key in")
    assert "Traceback" not in ended.stderr


def test_a_networks_own_teacher_is_told(quick: list[str], trained: Path, own_cache: Path) -> None:
    second = run(*quick, "model.channels=3", f"teacher={trained}")
    third = planned(*quick, "model.channels=4", f"teacher={second.key}")
    assert third.learned_from is not None
    assert third.learned_from["teacher"]["trained_on"]["teacher"]["name"] == trained.name
    assert third.teaching is not None
    assert isinstance(third.teaching.teacher.network, torch.nn.Module)
