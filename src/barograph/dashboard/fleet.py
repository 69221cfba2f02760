"""The fleet: all models of a project, those in trouble first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from barograph.alerts.condition import Condition, Judgement
from barograph.dashboard.sparkline import bars, metric_line
from barograph.dashboard.words import chunk_noun, lasting, look, state_word
from barograph.metrics.facts import heading_of, unit_of, worse_by
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.text.format import count, percent, quantity
from barograph.times import to_microseconds

PAGE = 50
# In which order states come: those that a person must act on, those of which nothing is known, the rest.
ORDER = ("trouble", "attention", "unknown", "well", "held")
NAMES = {
    "trouble": "in trouble",
    "attention": "attention",
    "unknown": "not known",
    "well": "well",
    "held": "paused or retired",
}
_ALONE = {
    "trouble": "is in trouble",
    "attention": "needs attention",
    "unknown": "is here, and nobody knows how it is",
    "well": "is well",
    "held": "is paused or retired",
}
SORTS = ("state", "name", "since", "event")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetModel:
    """What a list of all models needs of each, to filter and to sort it."""

    id: int
    name: str
    chunk: str
    condition: Condition
    since_us: int | None
    incidents: int
    last_event_us: int | None
    since: str = ""
    harm: float = 0.0

    @property
    def look(self) -> str:
        """Return the look of its state."""
        return look(self.condition.lifecycle, self.condition.judgement)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSeries:
    """The newest results of a model: its main metric from labels and without them, and the rows of each chunk."""

    measured: Sequence[Result] = ()
    estimated: Sequence[Result] = ()
    traffic: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRow:
    """One line of the list."""

    name: str
    look: str
    state: str
    verdict: str
    metric: str
    was: str
    now: str
    is_estimate: bool
    is_worse: bool
    line: str
    since_us: int | None
    since: str
    incidents: int
    labels: str
    delay: str
    traffic: str
    traffic_text: str
    last_event_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A filter: its name, how many it lets through, and whether it is on."""

    key: str
    name: str
    count: int
    is_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectLine:
    """Another project of the viewer: how its models are, in a sentence, with the look of the gravest."""

    id: int
    path: str
    look: str
    word: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPage:
    """The page `/`: the models of the project that is looked at, and a line for each other one, the gravest first."""

    title: str
    sentence: str
    rows: Sequence[FleetRow]
    chips: Sequence[Chip]
    search: str
    state: str
    sort: str
    found: int
    total: int
    page: int
    pages: int
    may_add: bool
    project: str
    elsewhere: Sequence[ProjectLine]


def chosen(models: Sequence[FleetModel], *, search: str = "", state: str = "", sort: str = "state") -> list[FleetModel]:
    """Return the models that are asked for, in the order that is: by harm first where nothing else is said."""
    words = search.casefold().split()
    kept = [m for m in models if (not state or m.look == state) and all(word in m.name.casefold() for word in words)]
    if sort == "name":
        return sorted(kept, key=lambda m: m.name)
    if sort == "since":
        return sorted(kept, key=lambda m: (m.since_us is None, -(m.since_us or 0), m.name))
    if sort == "event":
        return sorted(kept, key=lambda m: (m.last_event_us is None, -(m.last_event_us or 0), m.name))
    return sorted(kept, key=_by_harm)


def _by_harm(model: FleetModel) -> tuple[int, int, float, str]:
    severity = model.condition.severity
    return ORDER.index(model.look), -(severity.rank if severity else -1), -model.harm, model.name


def project_lines(projects: Sequence[tuple[int, str]], looks: Mapping[int, Sequence[str]]) -> list[ProjectLine]:
    """Return a line for each project, by id and path, of `looks` of its models; the gravest first."""
    lines = []
    for id, path in projects:
        gravest = min(looks[id], key=ORDER.index, default="unknown")
        word = NAMES[gravest] if looks[id] else "empty"
        lines.append(ProjectLine(id=id, path=path, look=gravest, word=word, sentence=sentence(looks[id])))
    return sorted(lines, key=lambda line: (not looks[line.id], ORDER.index(line.look), line.path))


def sentence(looks: Sequence[str]) -> str:
    """Return how models are, of their looks, in a sentence.

    >>> sentence([]), sentence(["well", "trouble"])
    ('No model is watched yet.', '1 of 2 models is in trouble, 1 is well.')
    """
    if not looks:
        return "No model is watched yet."
    n = Counter(looks)
    total = count(len(looks), "model")
    if len(looks) == 1:
        return f"The one model {_ALONE[looks[0]]}."
    said = []
    if n["trouble"]:
        said.append(f"{n['trouble']:,} of {total} {'is' if n['trouble'] == 1 else 'are'} in trouble")
    if n["attention"]:
        of = "" if said else f" of {total}"
        said.append(f"{n['attention']:,}{of} {'needs' if n['attention'] == 1 else 'need'} attention")
    if n["unknown"]:
        of = "" if said else f" of {total}"
        said.append(f"of {n['unknown']:,}{of} nobody knows how {'it is' if n['unknown'] == 1 else 'they are'}")
    if n["well"] == len(looks):
        said.append(f"all {total} are well")
    elif n["well"]:
        said.append(f"{n['well']:,} {'is' if n['well'] == 1 else 'are'} well")
    if n["held"]:
        said.append(f"{n['held']:,} {'is' if n['held'] == 1 else 'are'} paused or retired")
    text = ", ".join(said) + "."
    return text[:1].upper() + text[1:]


def fleet_page(
    models: Sequence[FleetModel],
    shown: Sequence[FleetModel],
    series: Mapping[int, ModelSeries],
    *,
    found: int,
    search: str,
    state: str,
    sort: str,
    page: int,
    may_add: bool,
    project: str = "",
    elsewhere: Sequence[ProjectLine] = (),
) -> FleetPage:
    """Return the page: `shown` are the models on it, of `found` that were asked for, of all `models` of `project`."""
    chips = [Chip(key="", name="all", count=len(models), is_on=not state)]
    looks = Counter(m.look for m in models)
    for key in ORDER:
        if looks[key] or state == key:
            chips.append(Chip(key=key, name=NAMES[key], count=looks[key], is_on=state == key))
    return FleetPage(
        title="Fleet",
        sentence=sentence([m.look for m in models]),
        rows=[_row(model, series.get(model.id, ModelSeries())) for model in shown],
        chips=chips,
        search=search,
        state=state,
        sort=sort,
        found=found,
        total=len(models),
        page=page,
        pages=max(1, -(-found // PAGE)),
        may_add=may_add,
        project=project,
        elsewhere=elsewhere,
    )


def _row(model: FleetModel, found: ModelSeries) -> FleetRow:
    latest = newest(found.measured, found.estimated)
    unit = unit_of(latest.metric, latest.family) if latest else ""
    lifecycle, judgement = model.condition.lifecycle, model.condition.judgement
    covered, behind = _labels(found.measured)
    is_estimate = latest is not None and latest.family == "estimation"
    near = "" if latest is None or is_estimate else latest.mark  # estimates are marked by the page
    return FleetRow(
        name=model.name,
        look=model.look,
        state=state_word(lifecycle, judgement),
        verdict="" if judgement is Judgement.WELL else model.condition.verdict,
        metric=heading_of(latest.metric) if latest else "",
        was="" if latest is None or latest.reference_value is None else quantity(latest.reference_value, unit),
        now="" if latest is None or latest.value is None else near + quantity(latest.value, unit),
        is_estimate=is_estimate,
        is_worse=is_worse(latest),
        line=metric_line(found.measured, found.estimated),
        since_us=model.since_us,
        since=model.since,
        incidents=model.incidents,
        labels=covered,
        delay=behind,
        traffic=bars(found.traffic),
        traffic_text=_traffic(found.traffic, chunk_noun(model.chunk)),
        last_event_us=model.last_event_us,
    )


def newest(measured: Sequence[Result], estimated: Sequence[Result]) -> Result | None:
    """Return the newest value that counts: from labels where they speak of the newest chunks, else estimated."""
    of_labels = next((row for row in reversed(measured) if row.is_judged), None)
    guess = next((row for row in reversed(estimated) if row.value is not None), None)
    return of_labels or guess


def is_worse(row: Result | None) -> bool:
    """Return whether a value in alarm is by itself worse than the reference: only then is it red."""
    if row is None or row.status is not Status.BREACH or row.value is None or row.reference_value is None:
        return False
    return worse_by(row.value, row.reference_value, row.metric, row.family) > 0


def _labels(measured: Sequence[Result]) -> tuple[str, str]:
    """Return which share of the rows of the newest chunks has a label, and how far labels are behind events."""
    known = [row for row in measured if row.label_coverage is not None and row.chunk_end is not None]
    if not known or not any(row.label_coverage for row in known):
        return ("no labels", "") if measured else ("–", "")
    reached = [row for row in known if (row.label_coverage or 0.0) >= 0.5]
    share = percent((reached[-1] if reached else known[-1]).label_coverage or 0.0)
    if not reached:
        return share, ""
    last, end = known[-1].chunk_end, reached[-1].chunk_end
    assert last is not None
    assert end is not None
    behind = (to_microseconds(last) - to_microseconds(end)) / 1e6
    return share, f"{lasting(behind)} behind" if behind > 0 else ""


def _traffic(values: Sequence[float | None], noun: str) -> str:
    known = [value for value in values[:-1] if value is not None] or [v for v in values if v is not None]
    if not known:
        return ""
    middle = sorted(known)[len(known) // 2]
    return f"{middle:,.0f} rows a {noun}"
