"""What a timing's flags say: which of them an interval covers, and which forbid a headline."""

from collections.abc import Sequence

#: How the flag of processes begins that were still getting faster, or slower, when the timed calls began.
UNSETTLED = "warm-up ended before calls agreed"


def doubts(flags: Sequence[str], has_interval: bool) -> list[str]:
    """The flags for which a timing is no headline.

    A process that had not settled is one of those over which the interval is taken, so a timing with an interval
    already shows what that did. No interval covers a disturbed machine, or a baseline that differed from itself.
    """
    return [flag for flag in flags if not (has_interval and flag.startswith(UNSETTLED))]
