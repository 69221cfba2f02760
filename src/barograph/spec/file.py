"""The specification file: what a user says of a model, as TOML. Two lines are enough; the rest has defaults."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any  # Any: what stands in a file, before it is checked

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo

from barograph.chunks import parse_chunk_rule
from barograph.errors import SpecError, did_you_mean
from barograph.spec import roles as read
from barograph.spec.budget import DEFAULT_BUDGET, budget_of
from barograph.spec.schema import ColumnType, Unusable
from barograph.spec.validation import problem_of
from barograph.tasks import Task

LARGEST = 1e50  # of an amount: its powers must be numbers, too
LIGHTEST, HEAVIEST = 0.001, 1000.0  # weights of monitors
MOST_CHUNKS = 10_000  # that an alert waits for
LONGEST_S = 36_525 * 86_400.0
_FROZEN = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
NO_TIMESTAMP = ("reject", "receipt")  # what becomes of an event that does not say when it was
SENSITIVE = ("hash", "drop", "mask")  # what the service keeps of a sensitive column: see `ingest.sensitive`


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise ValueError(f"This must be a finite number, at most {LARGEST:g} in size.")
    return float(value)


def _amount(value: object) -> float:
    if _number(value) < 0:
        raise ValueError("This must be zero or more.")
    return _number(value)


def _weight(value: object) -> float:
    if not LIGHTEST <= _number(value) <= HEAVIEST:
        raise ValueError(f"This must be a number from {LIGHTEST:g} to {HEAVIEST:g}; 1 is usual.")
    return _number(value)


def _chunks_from(least: int) -> BeforeValidator:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST_CHUNKS:
            raise ValueError(f"This must be a number of chunks, {least} to {MOST_CHUNKS}.")
        return value

    return BeforeValidator(check)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("This must be a text.")
    return value


def _chunk(value: object) -> str:
    try:
        parse_chunk_rule(value)  # type: ignore[arg-type]  # whatever stands in the file: it is what is checked
    except SpecError as error:
        raise ValueError(str(error).rpartition(" Got ")[0]) from None
    return str(value).strip()


def _one_of(kind: str) -> AfterValidator:
    """Check a name against those that exist, where the caller says which do."""

    def check(value: str, info: ValidationInfo) -> str:
        known = (info.context or {}).get(kind)
        if known is not None and value not in known:
            raise ValueError(f"There is no such {kind}.{did_you_mean(value, known)}")
        return value

    return AfterValidator(check)


def _budget(value: object) -> str:
    budget_of(value)
    return str(value)


def _sources(value: object) -> Mapping[str, Any]:
    """Check that there are tables; what is in them is checked by `barograph.sources`, which knows the kinds."""
    if not isinstance(value, Mapping):
        raise ValueError("This must be a table.")
    for kind, said in value.items():
        tables = said if isinstance(said, list | tuple) else [said]
        if not tables or not all(isinstance(one, Mapping) for one in tables):
            raise ValueError(f"`{kind}` must be a table, [sources.{kind}], or several: [[sources.{kind}]].")
    return value


def seconds_of(duration: str) -> float:
    """Return the length of a duration, a number with a unit: s, m, h, d or w.

    >>> seconds_of("90d"), seconds_of("1.5 h")
    (7776000.0, 5400.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([smhdw])", duration.strip(), re.ASCII)
    if not match:
        raise ValueError("This must be a number with a unit (s, m, h, d, w), as in '90d' or '1.5h'.")
    seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[match[2]]
    if seconds > LONGEST_S:
        raise ValueError("This must be 100 years (36525d) at most.")
    return seconds


def _duration(value: object) -> str:
    seconds_of(_text(value))
    return str(value)


def _word_of(known: Sequence[str]) -> BeforeValidator:
    def check(value: object) -> str:
        if value not in known:
            raise ValueError(f"This must be one of {', '.join(known)}.{did_you_mean(str(value), known)}")
        return str(value)

    return BeforeValidator(check)


def _span(value: object) -> str:
    if not seconds_of(_text(value)):
        raise ValueError("This must be longer than nothing.")
    return str(value)


Text = Annotated[str, BeforeValidator(_text)]
Duration = Annotated[str, BeforeValidator(_duration)]
Span = Annotated[str, BeforeValidator(_span)]  # a duration above zero
Number = Annotated[float, BeforeValidator(_number)]
Amount = Annotated[float, BeforeValidator(_amount)]
Column = Annotated[str, BeforeValidator(read.as_column)]
Columns = Annotated[tuple[str, ...], BeforeValidator(read.as_columns)]
MetricName = Annotated[str, BeforeValidator(_text), _one_of("metric")]


class Value(BaseModel):
    """What each outcome of a decision is worth, in one currency; costs are negative."""

    model_config = _FROZEN

    tn: Number = 0.0
    fp: Number = 0.0
    fn: Number = 0.0
    tp: Number = 0.0


class MonitorSpec(BaseModel):
    """One thing to watch besides what is watched by default, or in another way than by default.

    Without `columns` it is meant for all that the metric can be computed for. `off` takes default monitors away. `rule`
    says what decides, by name, with `options` for it and for the metric; `lower` and `upper` are fixed limits, and make
    the rule `constant`. `weight` is its part of what its family has of the false-alarm budget, beside those of the
    others (1). An alert fires when a breach has lasted for `hold` chunks more (0), and ends after `quiet` calm ones
    (2).
    """

    model_config = _FROZEN

    metric: MetricName
    columns: Columns | None = None
    segment: Text | None = None
    off: bool = False
    rule: Text | None = None
    lower: Number | None = None
    upper: Number | None = None
    tolerance: Amount | None = None
    weight: Annotated[float, BeforeValidator(_weight)] | None = None
    hold: Annotated[int, _chunks_from(0)] | None = None
    quiet: Annotated[int, _chunks_from(1)] | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class ServiceSpec(BaseModel):
    """How the service treats a model's stream. `check` needs none of it.

    A chunk is closed, and may raise alerts, once an event came that is `lateness` later than its end; what comes for
    it afterwards restates its results. Raw events are kept for `keep_events`, hourly profiles for `keep_hours` before
    they become daily ones. An event without a timestamp is rejected, or counts as of the time of its receipt
    (`no_timestamp`). Without events for `silence` an alert is raised, also after history that was filled in; None:
    learned from the gaps between events that came as they happened. `owner` is whom the model belongs to, a team or a
    person: routes of delivery can ask for it.
    """

    model_config = _FROZEN

    lateness: Duration = "1h"
    keep_events: Span = "90d"
    keep_hours: Span = "60d"
    silence: Span | None = None
    no_timestamp: Annotated[str, _word_of(NO_TIMESTAMP)] = "reject"
    owner: Text | None = None


class ModelSpec(BaseModel):
    """A whole specification. What is None is found in the data."""

    model_config = _FROZEN

    name: Text = "model"
    version: Text = "1"
    task: Annotated[Task, BeforeValidator(read.as_task)] | None = None
    label: Column | None = None
    label_timestamp: Column | None = None
    score: Annotated[str | Mapping[str, str], BeforeValidator(read.as_score)] | None = None
    prediction: Column | None = None
    threshold: Annotated[float, BeforeValidator(read.as_threshold)] = 0.5
    unusable: Annotated[Unusable, BeforeValidator(read.as_unusable)] = Unusable.AS_SAID
    null_values: Annotated[tuple[str, ...], BeforeValidator(read.as_null_values)] = ()
    positive: Annotated[str, BeforeValidator(read.as_class)] | None = None
    classes: Annotated[tuple[str, ...], BeforeValidator(read.as_classes)] = ()
    timestamp: Column | None = None
    timestamp_format: Annotated[str | Mapping[str, str], BeforeValidator(read.as_format)] | None = None
    timezone: Annotated[str, BeforeValidator(read.as_zone)] | None = None
    id: Column | None = None
    features: Columns | None = None
    ignore: Columns = ()
    segments: Columns = ()
    groups: Columns = ()
    types: Mapping[Column, Annotated[ColumnType, BeforeValidator(read.as_type)]] = Field(default_factory=dict)
    sensitive: Mapping[Column, Annotated[str, _word_of(SENSITIVE)]] = Field(default_factory=dict)
    reference: Text | None = None
    chunk: Annotated[str, BeforeValidator(_chunk)] | None = None
    budget: Annotated[str, BeforeValidator(_budget)] = DEFAULT_BUDGET
    tolerance: Mapping[MetricName, Amount] = Field(default_factory=dict)
    value: Value | None = None
    monitors: tuple[MonitorSpec, ...] = ()
    service: ServiceSpec = Field(default_factory=ServiceSpec)
    sources: Annotated[Mapping[str, Any], BeforeValidator(_sources)] = Field(default_factory=dict)

    def roles(self) -> dict[str, Any]:
        """Return what is said of the columns, as keywords of `infer_schema` and `fit`."""
        return {key: getattr(self, key) for key in ROLE_KEYS if getattr(self, key) != _DEFAULTS[key]}


_DEFAULTS = {name: info.get_default(call_default_factory=True) for name, info in ModelSpec.model_fields.items()}
ROLE_KEYS = tuple(name for name in ModelSpec.model_fields if name in read.Roles.__slots__)


def load_spec(source: str | os.PathLike[str], *, metrics: Collection[str] | None = None) -> ModelSpec:
    """Read a specification from a TOML file, or from a text: one with a `=` or a line break that is no name of a file.

    `metrics` are the names of those that exist; without them, names are not checked.

    >>> spec = load_spec('task = "binary"\\nlabel = "late"')
    >>> spec.label, spec.threshold
    ('late', 0.5)
    >>> load_spec('lable = "late"\\nthreshold = "high"')
    Traceback (most recent call last):
    barograph.errors.SpecError: specification:
      - $.threshold: This must be a number from 0 to 1. Got 'high'.
      - $.lable: there is no such key. Did you mean 'label'?

    Raises SpecError with everything that is wrong, each with its path and value.
    """
    text, where = _read(source)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"this is not TOML: {error}. Texts need quotation marks.", where=where) from error
    return spec_of(data, where=where, metrics=metrics)


def spec_of(
    data: Mapping[str, Any],
    *,
    where: str = "specification",
    metrics: Collection[str] | None = None,
) -> ModelSpec:
    """Return the specification that plain values say, as they stand in TOML or JSON; see `load_spec`."""
    try:
        return ModelSpec.model_validate(data, context={"metric": metrics})
    except ValidationError as error:
        raise SpecError([_problem(dict(e)) for e in error.errors()], where=where) from None


def _read(source: str | os.PathLike[str]) -> tuple[str, str]:
    if isinstance(source, str) and not source.endswith(".toml") and ("\n" in source or "=" in source):
        return source, "specification"
    try:
        return Path(source).read_text("utf-8-sig"), os.fspath(source)
    except FileNotFoundError:
        raise SpecError(f"There is no specification {os.fspath(source)!r}. `barograph init` writes one.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(
            f"The specification {os.fspath(source)!r} cannot be read: {error}. It must be UTF-8."
        ) from error


def _problem(error: Mapping[str, Any]) -> str:
    return problem_of(error, known=_keys_beside(error["loc"]))


def _keys_beside(location: Sequence[str | int]) -> list[str]:
    inner: Mapping[str | int, type[BaseModel]] = {"monitors": MonitorSpec, "value": Value, "service": ServiceSpec}
    model = inner.get(location[0], ModelSpec) if len(location) > 1 else ModelSpec
    return list(model.model_fields)
