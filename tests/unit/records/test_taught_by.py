"""Who taught a network: read from records, checked, and put into words."""

from typing import Any

import msgspec
import pytest

from enhance_sweep.records.schema import LearnedFrom, from_builtins
from enhance_sweep.report.results.words import differences, setting_text

LEARNED: dict[str, Any] = {"dataset": "photos", "data_fingerprint": "f", "loss": "fidelity", "seed": 0}
TEACHER = {"name": "ppcn_teacher", "weight": 0.5, "fingerprint": "0123456789abcdef", "trained_on": "DPED"}


def test_records_from_before_there_were_teachers_have_none() -> None:
    learned = LearnedFrom(LEARNED)
    assert learned.teacher is None
    assert learned.unlabelled is None


@pytest.mark.parametrize(
    ("trained_on", "said"),
    [
        ("DPED", "itself trained on DPED"),
        ("unknown", "trained on what is not known"),
        ({"dataset": "dped-iphone", "data_fingerprint": "g"}, "itself trained on dped-iphone"),
        ({"dataset": "photos", "teacher": TEACHER}, "itself trained on photos, taught by ppcn_teacher"),
    ],
)
def test_a_teacher_and_what_it_was_trained_on_in_words(trained_on: Any, said: str) -> None:
    learned = from_builtins(LearnedFrom, {**LEARNED, "teacher": {**TEACHER, "trained_on": trained_on}})
    assert str(learned.teacher) == f"ppcn_teacher (weight 0.5, {said})"


@pytest.mark.parametrize(
    ("damaged", "place"),
    [
        ({"teacher": {**TEACHER, "weight": "much"}}, r"\$\.learned_from\.teacher\.weight"),
        ({"teacher": {"name": "x"}}, r"\$\.learned_from\.teacher"),
        ({"unlabelled": {"fingerprint": "f", "photographs": 1.5, "share": 0.5}}, r"\.unlabelled\.photographs"),
    ],
)
def test_a_damaged_teacher_is_named_by_its_place(damaged: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=place):
        from_builtins(LearnedFrom, {**LEARNED, **damaged})


def test_conditions_say_who_taught_and_what() -> None:
    unlabelled = {"fingerprint": "fedcba9876543210", "photographs": 13, "share": 0.5}
    other = {**TEACHER, "fingerprint": "8888888888888888"}
    said = differences([{}, {"teacher": TEACHER}, {"teacher": other, "unlabelled": unlabelled}])
    name = "ppcn_teacher (weight 0.5, itself trained on DPED)"
    assert said == [
        "taught by nobody, photographs without partners none",
        f"taught by {name} [01234567], photographs without partners none",
        f"taught by {name} [88888888], photographs without partners 13 (50% of the crops) [fedcba98]",
    ]
    assert setting_text("crop_size", 64) == "crop size 64"
    assert msgspec.json.decode(msgspec.json.encode(LearnedFrom({"teacher": TEACHER}))) == {"teacher": TEACHER}
