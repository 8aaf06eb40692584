"""The scores of an enhanced image, each described once: tables, figures and the search read this list.

It needs no torch. The functions that compute them are in `enhance_sweep.metrics`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Measure:
    """One score of an enhanced image against its target.

    Attributes:
        name: its column in records.
        label: what tables and axes call it.
        unit: of its values; empty where it has none.
        digits: decimals to show.
        higher_is_better: its direction.
        margin: a network is as good as another where it is surely not worse by this much: the same share of the gain
            of the published baseline over its untouched input as MS-SSIM's (docs/metrics.md).
        range: its least and its largest value, and which of them is perfect.
        source: where it comes from.
        smallest_side: the least height and width, in pixels, that have a score.
    """

    name: str
    label: str
    unit: str
    digits: int
    higher_is_better: bool
    margin: float
    range: str
    source: str
    smallest_side: int

    @property
    def title(self) -> str:
        """What an axis calls it: the label with the unit."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    @property
    def improvement(self) -> str:
        """What follows the label where a difference is an improvement and not simply a difference."""
        return "" if self.higher_is_better else " improvement"

    @property
    def worse_than(self) -> str:
        """What stands before a score that a worse one does not reach."""
        return "below" if self.higher_is_better else "worse than"

    @property
    def sign(self) -> int:
        """Times this, a difference is an improvement where it is above 0."""
        return 1 if self.higher_is_better else -1


_ALL = (
    Measure(
        name="ms_ssim",
        label="MS-SSIM",
        unit="",
        digits=4,
        higher_is_better=True,
        margin=0.002,  # a sixth of the range of the paper's Table 1, 0.9117 to 0.9230
        range="below 0 (then it is not a number) to 1, perfect",
        source="Wang, Simoncelli and Bovik 2003",
        smallest_side=1,
    ),
    Measure(
        name="psnr_db",
        label="PSNR",
        unit="dB",
        digits=2,
        higher_is_better=True,
        margin=0.15,
        range="0 to infinity, perfect",
        source="10 log10(1 / mean squared error)",
        smallest_side=1,
    ),
    Measure(
        name="ciede2000",
        label="CIEDE2000",
        unit="",
        digits=2,
        higher_is_better=False,
        margin=0.12,
        range="0, perfect, to about 119",
        source="Sharma, Wu and Dalal 2005",
        smallest_side=1,
    ),
    Measure(
        name="haarpsi",
        label="HaarPSI",
        unit="",
        digits=4,
        higher_is_better=True,
        margin=0.0015,
        range="0 to 1, perfect",
        source="Reisenhofer, Bosse, Kutyniok and Wiegand 2018",
        smallest_side=16,
    ),
    Measure(
        name="mdsi",
        label="MDSI",
        unit="",
        digits=4,
        higher_is_better=False,
        margin=0.001,
        range="0, perfect, to about 0.8",
        source="Nafchi, Shahkolaei, Hedjam and Cheriet 2016",
        smallest_side=3,
    ),
    Measure(
        name="dss",
        label="DSS",
        unit="",
        digits=4,
        higher_is_better=True,
        margin=0.003,
        range="mostly from 0, to 1, perfect",
        source="Balanov, Schwartz, Moshe and Peleg 2015",
        smallest_side=8,
    ),
    Measure(
        name="vsi",
        label="VSI",
        unit="",
        digits=5,
        higher_is_better=True,
        margin=0.00025,
        range="0 to 1, perfect",
        source="Zhang, Shen and Li 2014",
        smallest_side=3,
    ),
    Measure(
        name="gmsd",
        label="GMSD",
        unit="",
        digits=4,
        higher_is_better=False,
        margin=0.0008,
        range="0, perfect, to 0.5",
        source="Xue, Zhang, Mou and Bovik 2014",
        smallest_side=5,
    ),
)

#: A network keeps the targets' color where its chroma ratio is not outside of these. The published baseline's is 0.86
#: on the DPED sample, and half a stop less light makes 0.87. The upper limit is as many times too much
#: (docs/metrics.md).
CHROMA_RATIO_LIMITS = (0.8, 1.25)
#: Images with less chroma than this, 2.5 of 255 levels, are gray: a ratio to theirs says nothing of color. The targets
#: of the DPED sample, which are nearly colorless, have 0.047.
LEAST_CHROMA = 0.01

#: Every measure by its name, in the order of tables.
MEASURES: Mapping[str, Measure] = MappingProxyType({measure.name: measure for measure in _ALL})


def higher_is_better(column: str) -> bool:
    """The direction of a column of records, such as `ms_ssim` or `validation_mdsi`; True where it is no measure's."""
    name = column.removeprefix("untouched_").removeprefix("validation_").partition("_on_")[0]
    return name not in MEASURES or MEASURES[name].higher_is_better
