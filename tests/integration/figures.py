"""What two trainings are compared by."""

from msgspec.structs import asdict

from enhance_sweep.records.schema import Quality, Scores


def figures(scores: Scores | Quality) -> dict[str, float | None]:
    """The numbers among scores, by name."""
    return {name: value for name, value in asdict(scores).items() if not isinstance(value, list)}
