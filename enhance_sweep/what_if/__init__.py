"""Questions to a table of records: the best within a limit, what one setting buys, which setting matters most.

Tables in, tables out: each function takes the table of `enhance_sweep.records.load_records`, or a selection of its
rows. Seeds are averaged first, so that a network counts once however often it was trained. Where the data hold no
answer, the result is a table with the same columns and a note with the reason; only impossible questions, such as about
a missing column, raise an error.
"""

from enhance_sweep.what_if.choice import best_within, fastest_as_good_as, frontier_of
from enhance_sweep.what_if.effect import effect_of, effects_of
from enhance_sweep.what_if.networks import networks_of, spread_between_seeds
from enhance_sweep.what_if.variance import shares_of_variance

__all__ = [
    "best_within",
    "effect_of",
    "effects_of",
    "fastest_as_good_as",
    "frontier_of",
    "networks_of",
    "shares_of_variance",
    "spread_between_seeds",
]
