"""Which variant `--run` means."""

from pathlib import Path

import pytest

from enhance_sweep.records.choosing import choose_run
from tests.unit.report import record_factory as make


def test_a_variant_goes_by_the_first_parts_of_its_key(tmp_path: Path) -> None:
    small, large = make.trained(make.plain(3, 16, 1), 0.9, 21.0), make.trained(make.plain(3, 16, 12), 0.91, 21.5)
    make.write(tmp_path, [small, large])
    for run in ("plain-k3-c16-b1", small["key"]):
        assert choose_run(tmp_path, run, None).name == small["key"]
    with pytest.raises(ValueError, match=f"several .* 'plain-k3-c16' .*{small['key']}, {large['key']}"):
        choose_run(tmp_path, "plain-k3-c16", None)
    with pytest.raises(ValueError, match="no completed variant 'plain-k3-c1' "):
        choose_run(tmp_path, "plain-k3-c1", None)
