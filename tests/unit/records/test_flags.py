import pytest

from enhance_sweep.records.flags import UNSETTLED, doubts

COLD = f"{UNSETTLED} in 1 of 3 processes"
DISTURBED = "2 of 9 rounds were disturbed: other work took 9% of the measured cores"


@pytest.mark.parametrize(
    ("flags", "has_interval", "kept"),
    [
        ([], True, []),
        ([COLD], True, []),
        ([COLD], False, [COLD]),
        ([DISTURBED, COLD], True, [DISTURBED]),
        (["the baseline against itself gave 0.93"], True, ["the baseline against itself gave 0.93"]),
        (["what no one has thought of"], True, ["what no one has thought of"]),
    ],
)
def test_an_interval_covers_processes_that_had_not_settled_and_no_other_flag(
    flags: list[str], has_interval: bool, kept: list[str]
) -> None:
    assert doubts(flags, has_interval) == kept
