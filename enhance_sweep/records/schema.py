"""What a record holds, as types. Reading a record checks them, so its users need no checks of their own.

People edit records by hand, full disks cut them short, and older versions lack newer fields: those have defaults here.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from enhance_sweep.measures import MEASURES
from enhance_sweep.system.waiting import DEFAULT

SCHEMA: Literal[1] = 1

#: The paper's architectural axes, in the order in which it names a network: {kernel, channels, blocks}.
ARCHITECTURE_COLUMNS = ["topology", "kernel_size", "strided_kernel_size", "channels", "blocks", "prelu"]
#: Options that a topology gained after its first records, with the value that those were made with.
GAINED_OPTIONS = {"plain": {"global_color": False}, "strided": {"global_color": False}}
#: Every mean score that a training may have.
SCORE_COLUMNS = [*MEASURES, "chroma_ratio"]
#: Those that stand first in a table.
TRAINED_COLUMNS = ["psnr_db", "ms_ssim"]
TIMED_COLUMNS = ["latency_ms_median", "latency_ms_iqr", "cpu_s_median", "peak_rss_mib", "peak_rss_delta_mib"]

STATUSES = ("running", "completed", "failed")
#: Measures that every image has, unless it is too small: the PSNR may be infinite, MS-SSIM may be not a number.
_ALWAYS_FINITE = [name for name in MEASURES if name not in ("psnr_db", "ms_ssim")]
Status = Literal["running", "completed", "failed"]
#: Larger whole numbers are damage, and would not fit a table's column.
Count = Annotated[int, Meta(ge=-(2**62), le=2**62)]


class Part(Struct, kw_only=True, frozen=True, omit_defaults=True, gc=False):
    """A part of a record."""


# --- what several kinds of records hold -------------------------------------------------------------------------------


class Layer(Part, kw_only=True, frozen=True):
    """A layer of a network in the order in which they run; its output's size at 1280x720 (`models.description`).

    Attributes:
        name: of its module; an operation outside of layers has the module's, a `#` and its own.
        kind: the module's class, or the one that does the same.
        kernel_size, kernel_width: the kernel's height, and its width where that is another (else 0).
        stride: the longer side's.
        dilation: pixels from one of the kernel's to the next; the longer side's.
        groups: parts into which both sides' channels are split.
        step: every how many pixels and rows its statistics take.
        height, width: of the output.
        in_height, in_width: of the input, where output and stride do not tell it (else 0).
        input: the layer or join that it reads, None for the photograph; not set where that is not known.
    """

    name: str
    kind: str
    in_channels: Count
    out_channels: Count
    kernel_size: Count
    kernel_width: Count = 0
    stride: Count
    dilation: Count = 1
    groups: Count = 1
    step: Count = 1
    height: Count
    width: Count
    in_height: Count = 0
    in_width: Count = 0
    parameters: Count = 0
    macs: Count = 0
    input: str | UnsetType | None = UNSET

    @property
    def read(self) -> float:
        """How many activations it reads; a transposed convolution's input is the smaller side."""
        if self.in_height and self.in_width:
            pixels = float(self.in_height * self.in_width)
        else:
            scale = self.stride ** (-2 if self.kind.startswith("ConvTranspose") else 2)
            pixels = self.height * self.width * float(scale)
        return self.in_channels * pixels

    @property
    def written(self) -> int:
        """How many activations it writes."""
        return self.out_channels * self.height * self.width


class Join(Part, kw_only=True, frozen=True):
    """Where features of several origins meet outside of any layer, once `after` layers have run.

    Attributes:
        kind: torch's name of the operation: `add` for residual sums and skip connections, `cat`, `mul`; of several that
            follow each other on the same two origins, all their names: `mul+add`.
        inputs: the names of the origins.
        operations: how many it stands for.
        values: how many activations they read and write; 0 in older records.
    """

    name: str
    kind: str
    inputs: list[str | None]
    after: Count
    operations: Count = 1
    values: Count = 0


class Description(Part, kw_only=True, frozen=True):
    """What a network is made of (`models.description`); of an export only how much it is."""

    height: Count = 720
    width: Count = 1280
    parameters: Count
    macs: Count
    layers: list[Layer] = []
    joins: list[Join] = []


class Roof(Part, kw_only=True, frozen=True):
    """The least time that a network's convolutions could take where it was timed (`stats.roof`).

    Attributes:
        ms: the sum, over convolutions, of the longer of arithmetic and traffic.
        arithmetic_ms: of all arithmetic at the rate of a large matrix product.
        traffic_ms: of all inputs, outputs and weights at the rate of a copy.
    """

    ms: float
    arithmetic_ms: float
    traffic_ms: float


class Measurement(Part, kw_only=True, frozen=True):
    """How speed is measured: with the architecture, what makes a `measured_key`.

    `size` is width and height. `wait_policy` says how threads waited (`system.waiting`): at the default, which is all
    that older records have, it is not part of the key. The same holds for `lowered` (false: the network as written) and
    `photograph` (the fingerprint of a file; None: the installed photograph, and in older records any).
    """

    runtime: str
    precision: str
    layout: str | None = None
    size: tuple[Count, Count]
    threads: Count
    allocator: str
    wait_policy: str = DEFAULT
    lowered: bool = False
    photograph: str | None = None
    host: str

    def as_json(self) -> dict[str, Any]:
        """What keys are made of, equal to what `measurement_of` gives."""
        return msgspec.to_builtins(self) | {"size": list(self.size)}  # type: ignore[no-any-return]


class Environment(Part, kw_only=True, frozen=True):
    """Where and with what it was made; `threads` and `code` of a training, the rest of a timing.

    `wait_policy` is how threads waited while it trained, or in the timed calls. Older records lack it: they were made
    at the default, unless the user had set it.
    """

    host: str | None = None
    cpu: str | None = None
    cores: Count | None = None
    system: str | None = None
    python: str | None = None
    enhance_sweep: str | None = None
    versions: dict[str, str | None] = {}
    allocator: str | None = None
    wait_policy: str | None = None
    git_commit: str | None = None
    threads: Count | None = None
    code: str | None = None
    timing: dict[str, Any] | None = None
    fingerprint: dict[str, Any] | None = None
    runtime_versions: dict[str, str | None] = {}


class Conditions(Part, kw_only=True, frozen=True):
    """What else the machine did during a call (`timing.conditions`)."""

    others_share: float | None = None
    steal_share: float | None = None
    throttled: Count | None = None
    runnable_threads_before: Count | None = None
    runnable_threads_after: Count | None = None
    slowdown_before: float | None = None
    slowdown_during: float | None = None
    disturbed_by: list[str] = []


class Memory(Part, kw_only=True, frozen=True):
    """The resident set during a call, and above what was resident before it."""

    peak_rss_mib: float | None = None
    peak_rss_delta_mib: float | None = None
    method: str | None = None


class Call(Part, kw_only=True, frozen=True):
    """One call of a network."""

    latency_ms: float
    cpu_s: float | None = None
    page_faults: Count | None = None
    involuntary_switches: Count | None = None
    memory: Memory | None = None
    photograph: str | None = None
    conditions: Conditions | None = None


class Round(Call, kw_only=True, frozen=True):
    """One call of the network and, where it is timed too, one of the baseline beside it."""

    position: Count | None = None
    baseline_latency_ms: float | None = None
    baseline_cpu_s: float | None = None
    baseline_page_faults: Count | None = None
    baseline_involuntary_switches: Count | None = None
    baseline_conditions: Conditions | None = None
    baseline_position: Count | None = None
    baseline_repeated_calls: Count | None = None


class Loaded(Part, kw_only=True, frozen=True):
    """How long a process took before its first call."""

    import_ms: float | None = None
    load_ms: float | None = None
    preparing_ms: dict[str, float] = {}


class Process(Part, kw_only=True, frozen=True):
    """What a fresh process has shown."""

    loaded: Loaded | None = None
    first_call: Call | None = None
    warm_up_ms: list[float] = []
    warm: bool | None = None
    rounds: list[Round]
    repeated_calls: list[Call] = []


class Samples(Part, kw_only=True, frozen=True):
    """The raw rounds of a timing, by process."""

    processes: list[Process] = []


class Interval(Part, kw_only=True, frozen=True):
    """A ratio with its 95% interval, and how many processes and rounds it rests on (`stats.speed_up`)."""

    median: float
    low: float
    high: float
    processes: Count | None = None
    rounds: Count | None = None


class Check(Part, kw_only=True, frozen=True):
    """How far results are from eager fp32's; `psnr_db` is None where they are the same. `sizes`: width and height."""

    max_abs_error: float | None = None
    psnr_db: float | None = None
    reference_std: float | None = None
    sizes: list[tuple[Count, Count]] = []


class _Record(Struct, kw_only=True, frozen=True, tag_field="kind"):
    """What every record holds. `architecture` is `topology` and the constructor's arguments."""

    schema: Literal[1]
    architecture_key: str
    architecture: dict[str, Any]
    started_at: str | None = None
    finished_at: str | None = None
    environment: Environment | None = None

    def __post_init__(self) -> None:
        """Check what types cannot express.

        Raises:
            ValueError: something is missing or wrong, by its place.
        """
        for name in ("started_at", "finished_at"):
            time = getattr(self, name)
            if time is not None and not _is_time(time):
                raise _wrong(name, time, "a time such as 2026-01-02T03:04:05+00:00")
        topology = self.architecture.get("topology")
        if topology is None:
            raise ValueError("lacks architecture.topology")
        if not isinstance(topology, str):
            raise _wrong("architecture.topology", topology, "a text")


# --- trained ----------------------------------------------------------------------------------------------------------


#: Settings that older records lack, each with the value that says what was done then: at that value keys are as before.
BEFORE = {
    "start": "dped_code",
    "averaging": False,
    "reparameterise": False,
    "permute_channels": False,
    "channel_gains_ev": 0.0,
    "saturation": 0.0,
    "exposure_ev": 0.0,
}


class TaughtBy(Part, kw_only=True, frozen=True):
    """The teacher of a network: what it made of the training patches was a second target.

    Attributes:
        name: its key where it was trained here, else its file's name.
        weight: of the second target against the first.
        fingerprint: of its weights.
        trained_on: what it had learned from itself: `dataset`, `data_fingerprint` and so on of its record, or what the
            user said of weights of others, `unknown` where nothing.
    """

    name: str
    weight: float
    fingerprint: str
    trained_on: dict[str, Any] | str = "unknown"

    @property
    def trained_on_name(self) -> str:
        """What it had learned from, for people."""
        if isinstance(self.trained_on, str):
            return self.trained_on
        teacher = self.trained_on.get("teacher")
        by = f", taught by {teacher.get('name', 'unknown')}" if isinstance(teacher, Mapping) else ""
        return f"{self.trained_on.get('dataset', 'unknown')}{by}"

    def __str__(self) -> str:
        """For people: name, weight, and what it had learned from."""
        on = self.trained_on_name
        itself = "trained on what is not known" if on == "unknown" else f"itself trained on {on}"
        return f"{self.name} (weight {self.weight:g}, {itself})"


class Unlabelled(Part, kw_only=True, frozen=True):
    """Photographs without partners, which only the teacher judges.

    Attributes:
        fingerprint: of the photographs.
        photographs: how many.
        share: of the training crops that came from them.
    """

    fingerprint: str
    photographs: Count
    share: float

    def __str__(self) -> str:
        """For people."""
        return f"{self.photographs:,} ({self.share:.0%} of the crops)"


class LearnedFrom(dict[str, Any]):
    """Everything that decides the weights beside the architecture: with it, what makes a `learned_key`.

    A mapping, since every setting counts, future ones too; properties name what readers use.
    """

    @property
    def dataset(self) -> str:
        """The data set's name."""
        return str(self["dataset"])

    @property
    def data_fingerprint(self) -> str:
        """Which version of the data."""
        return str(self["data_fingerprint"])

    @property
    def loss(self) -> str:
        """The loss preset's name."""
        return str(self["loss"])

    @property
    def seed(self) -> int | str:
        """Of the initial weights and of all that is drawn."""
        return self["seed"]  # type: ignore[no-any-return]

    @property
    def content(self) -> str | None:
        """The network whose features the loss compares."""
        return self.get("content")

    @property
    def start(self) -> str:
        """The initial weights; records from before there was a choice have the DPED code's."""
        return str(self.get("start", BEFORE["start"]))

    @property
    def averaging(self) -> bool:
        """Whether its weights are averages over steps; in records from before there was a choice they are not."""
        return bool(self.get("averaging", BEFORE["averaging"]))

    @property
    def teacher(self) -> TaughtBy | None:
        """Who taught it; in records from before there were teachers nobody."""
        return None if self.get("teacher") is None else msgspec.convert(self["teacher"], TaughtBy)

    @property
    def unlabelled(self) -> Unlabelled | None:
        """Photographs without partners that its teacher judged."""
        return None if self.get("unlabelled") is None else msgspec.convert(self["unlabelled"], Unlabelled)

    @property
    def precision(self) -> str | None:
        """Of the arithmetic in training."""
        return self.get("precision")

    @property
    def batch_size(self) -> int | None:
        """Patches in a step."""
        return self.get("batch_size")

    @property
    def crop_size(self) -> int | None:
        """A patch's side, in pixels."""
        return self.get("crop_size")


class Learned(Struct):
    """The fields of `LearnedFrom` that are checked."""

    dataset: str
    data_fingerprint: str
    loss: str
    seed: Count | str
    content: Any = None
    precision: Any = None
    batch_size: Count | None = None
    crop_size: Count | None = None
    teacher: TaughtBy | None = None
    unlabelled: Unlabelled | None = None


class _Measured(Part, kw_only=True, frozen=True):
    """Means over images, by the names of `MEASURES`; None where older code did not compute one.

    `chroma` and `target_chroma` are how much color outputs and targets have, pooled over the images (`metrics.chroma`).
    """

    psnr_db: float | None = None
    ms_ssim: float | None = None
    ciede2000: float | None = None
    haarpsi: float | None = None
    mdsi: float | None = None
    dss: float | None = None
    vsi: float | None = None
    gmsd: float | None = None
    chroma: float | None = None
    target_chroma: float | None = None

    @property
    def chroma_ratio(self) -> float | None:
        """How much of the targets' color the outputs have, 1 where it is as much; None where targets have none."""
        return self.chroma / self.target_chroma if self.chroma is not None and self.target_chroma else None


class Scores(_Measured, kw_only=True, frozen=True):
    """Scores on the test images.

    Attributes:
        images: how many they are.
        identical_pairs: of those, how many are equal to their target; there the PSNR is infinite, and is left out.
        too_small_for: the measures that have no score of images so small.
    """

    images: Count | None = None
    identical_pairs: Count | None = None
    too_small_for: list[str] = []

    @property
    def lacks_measures(self) -> bool:
        """Whether code that knew fewer measures computed them."""
        return any(
            getattr(self, name) is None for name in (*_ALWAYS_FINITE, "chroma") if name not in self.too_small_for
        )


class Quality(_Measured, kw_only=True, frozen=True):
    """Scores during training, after `step` steps of the generator; most measures have them at the last step alone."""

    step: Count


class TrainingProcess(Part, kw_only=True, frozen=True):
    """The process that trains: the next one tells from this whether the system killed it to free memory."""

    system: str | None = None
    memory_kills: Count | None = None


class TrainedRecord(_Record, kw_only=True, frozen=True, tag="trained"):
    """One network trained once: what it learned from, its scores, its curve.

    Attributes:
        reason, failure: why it failed, and the class of that; `attempts` counts failures by class.
        retry: whether a person asked for another try.
        description: of the network.
        data: what the data set says of itself, such as `train_pairs`.
        quality: its curve.
        quality_on: which pairs the curve is scored on; None in older records: the test pairs.
        untouched: the scores of the input itself.
        scores_by_part, untouched_by_part: on the test pairs of each data set of a mix (`data=mix`), by its name.
        pictures: what was made for people (`training.pictures`). No result depends on them: unchecked.
    """

    key: str
    status: Status
    reason: str | None = None
    failure: str | None = None
    traceback: str | None = None
    attempts: dict[str, int] = {}
    retry: bool = False
    description: Description
    learned_from: LearnedFrom
    micro_batches: Count | None = None
    data: dict[str, Any] | None = None
    environment: Environment
    process: TrainingProcess | None = None
    steps: Count | None = None
    quality: list[Quality] = []
    quality_on: Literal["validation"] | None = None
    train_wall_s: float | None = None
    scores: Scores | None = None
    untouched: Scores | None = None
    scores_by_part: dict[str, Scores] = {}
    untouched_by_part: dict[str, Scores] = {}
    pictures: Any = None

    @property
    def validation(self) -> Quality | None:
        """The scores on the validation pairs at the last step."""
        last = self.quality[-1] if self.quality and self.quality_on == "validation" else None
        return last if last is not None and last.step == self.steps else None

    def __post_init__(self) -> None:
        """Check what types cannot express."""
        super().__post_init__()
        pairs = (self.data or {}).get("train_pairs")
        if pairs is not None and type(pairs) is not int:
            raise _wrong("data.train_pairs", pairs, "a whole number")
        if self.status == "completed" and self.steps is None:
            raise ValueError("lacks steps")


# --- timed ------------------------------------------------------------------------------------------------------------


class TimedRecord(_Record, kw_only=True, frozen=True, tag="timed"):
    """One architecture timed once: how, on which host, every raw sample.

    Attributes:
        stopped: why no more was timed.
        flags: why it should not be believed, in sentences.
        baseline: the key of what was timed beside it; None where nothing was.
        baseline_check: the baseline against itself in the same run.
        arithmetic_limit: `fp32_gflops` and `bf16_gflops` of a large matrix product, and `copy_gb_per_s` of a copy in
            memory, bytes read and written, in the same run; older records lack the copy.
        roof: the least time that those rates allow; None where they were not measured.
        check: its result against eager fp32's.
    """

    key: str
    status: Status
    reason: str | None = None
    failure: str | None = None
    retry: bool = False
    description: Description
    measurement: Measurement
    latency_ms_median: float | None = None
    latency_ms_iqr: float | None = None
    cpu_s_median: float | None = None
    peak_rss_mib: float | None = None
    peak_rss_delta_mib: float | None = None
    first_call_ms: float | None = None
    stopped: str | None = None
    flags: list[str] = []
    repeated_calls: Count | None = None
    disturbed_rounds: Count | None = None
    baseline: str | None = None
    baseline_check: Interval | None = None
    arithmetic_limit: dict[str, float | None] | None = None
    roof: Roof | None = None
    check: Check | None = None
    samples: Samples | None = None

    def __post_init__(self) -> None:
        """Check what types cannot express."""
        super().__post_init__()
        if self.status == "completed" and self.latency_ms_median is None:
            raise ValueError("lacks latency_ms_median")


class ChallengeRecord(_Record, kw_only=True, frozen=True, tag="challenge"):
    """One architecture timed by the PIRM 2018 challenge's rules: one call for each photograph in `samples`."""

    measurement: Measurement
    latency_s_mean: float
    memory_gib_mean: float
    samples: Annotated[list[Call], Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Check what types cannot express."""
        super().__post_init__()
        if not 0 < self.latency_s_mean < math.inf:
            raise _wrong("latency_s_mean", self.latency_s_mean, "a positive number")
        if not 0 <= self.memory_gib_mean < math.inf:
            raise _wrong("memory_gib_mean", self.memory_gib_mean, "no negative number")


# --- export -----------------------------------------------------------------------------------------------------------


class MeanInterval(Part, kw_only=True, frozen=True):
    """A mean over images with its 95% interval; None of no images, no interval of one."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None


class ExportScores(Part, kw_only=True, frozen=True):
    """An export's scores; `intervals` of them, of eager's (`eager_...`) and of differences (`..._over_eager`)."""

    on: str | None = None
    of_test_pairs: bool = False
    images: Count | None = None
    psnr_db: float | None = None
    ms_ssim: float | None = None
    intervals: dict[str, MeanInterval] | None = None


class Sides(Part, kw_only=True, frozen=True):
    """The heights and widths that a file takes: multiples of `multiple` from `smallest` to `largest`, in pixels."""

    multiple: Count
    smallest: Count
    largest: Count | None = None


class ExportRecord(_Record, kw_only=True, frozen=True, tag="export"):
    """A trained network as a file for another runtime, checked, scored and timed beside eager.

    `sides`: the heights and widths that it takes; None where it takes any, and in older records. `lowered`: whether it
    was written from the lowered network.
    """

    key: str
    status: Status
    description: Description
    format: str
    precision: str
    file: str | None = None
    bytes: Count
    sides: Sides | None = None
    lowered: bool = False
    calibration_patches: Count | None = None
    check: Check | None = None
    scores: ExportScores
    measurement: Measurement
    latency_ms_median: float | None = None
    latency_ms_iqr: float | None = None
    eager_latency_ms_median: float | None = None
    peak_rss_mib: float | None = None
    flags: list[str] = []
    samples: Samples | None = None
    versions: dict[str, str | None] = {}


Record = TrainedRecord | TimedRecord | ChallengeRecord | ExportRecord
KINDS: Mapping[str, type[Struct]] = {
    "trained": TrainedRecord,
    "timed": TimedRecord,
    "export": ExportRecord,
    "challenge": ChallengeRecord,
}


# --- checks that types cannot make ------------------------------------------------------------------------------------


def from_builtins(kind: type, value: Any) -> Any:
    """A `LearnedFrom` of what JSON gives; msgspec knows the other types itself."""
    if kind is not LearnedFrom:
        raise NotImplementedError(f"no type of a record: {kind}")
    try:
        msgspec.convert(value, Learned)
    except msgspec.ValidationError as error:  # which knows of no place outside
        raise ValueError(str(error).replace("`$", "`$.learned_from")) from None
    return LearnedFrom(value)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _wrong(place: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{place}: expected {expected}, found {value!r:.80}")
