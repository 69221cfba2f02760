"""`barograph replay`: what the rules would have done over the past."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any  # Any: JSON values

import typer

from barograph.cli import options
from barograph.errors import SpecError

if TYPE_CHECKING:
    from barograph.monitors.evidence import Watch
    from barograph.monitors.replay import Replay
    from barograph.report.report import Report
    from barograph.spec.budget import Budget

MAX_WATCHES = 8  # that see nothing of use: the worst
WORDS = {  # what the rules with evidence watch
    "cdf_cut": "distributions of numbers",
    "category_share": "shares of categories and cells",
    "share": "missing, unseen, out of range, mistyped",
    "summary": "performance, measured and estimated",
}


def replay(
    spec: Annotated[Path, typer.Argument(help="A specification file (TOML).")],
    data: Annotated[str, typer.Argument(help="The past: a Parquet, CSV or Delta path.")],
    reference: Annotated[
        str | None, typer.Option(help="Good data, or a saved reference. Default: the specification's.")
    ] = None,
    chunk: options.Chunk = None,
    budget: Annotated[str | None, typer.Option(help="Say, '1 false alarm per month'.")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(help="When something is known to have changed: 2024-01-31, 2024-01-31T08:00. Can be repeated."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write everything that was found as JSON.")] = None,
) -> None:
    """Run the monitors over the past, chunk by chunk, as they would have run. Ends with 0; 2: bad input.

    Labels count as known at the end of their chunk. Alerts before the first --change are counted as false alarms.
    """
    from barograph.metrics import catalogue
    from barograph.report.check import check
    from barograph.spec.budget import parse_budget
    from barograph.spec.file import load_spec

    times = _times(change or [])
    said = load_spec(spec, metrics=[name for _, name in catalogue()])
    allowed = parse_budget(said.budget if budget is None else budget, where="--budget")
    good = reference or _beside(spec, said.reference)
    with options.progress("reading", quiet=False) as bar:
        report = check(good, data, spec=said, chunk=chunk, budget=budget, progress=bar)
    zone = report.reference.schema.timezone
    found = replayed(report, [_in_utc(time, zone) for time in times])
    if json is not None:
        import json as library

        text = library.dumps(to_dict(report, found, allowed), ensure_ascii=False, allow_nan=False, indent=1)
        json.write_text(text, encoding="utf-8")
    for line in lines(report, found, allowed):
        print(line)


def replayed(report: Report, changes: Iterable[datetime]) -> Replay:
    """Return what the rules did in the check that made `report`."""
    from barograph.monitors.replay import LIMITS, Fired
    from barograph.monitors.replay import replay as run

    return run(
        report.profiles.chunks,
        rules=dict.fromkeys(report.alerting, LIMITS) | {watch.monitor: watch.rule for watch in report.watches},
        breaches=[(breach.monitor, breach.position) for breach in report.breaches],
        fired=[
            Fired(
                monitor=alert.last_breach.monitor,
                position=alert.fired.position,
                until=alert.resolved.position if alert.resolved else None,
            )
            for alert in report.alerts
            if alert.fired
        ],
        changes=changes,
    )


def _beside(spec: Path, reference: str | None) -> str:
    """Return the reference that a specification names: as it stands, or else beside the specification."""
    if reference is None:
        raise SpecError(
            'there is no reference to compare with. Write `reference = "good.parquet"`, or give --reference PATH.',
            where=f"{spec}: $.reference",
        )
    if Path(reference).exists():
        return reference
    beside = spec.parent / reference
    return str(beside) if beside.exists() else reference


def _times(texts: Sequence[str]) -> list[datetime]:
    times, wrong = [], []
    for text in texts:
        try:
            times.append(datetime.fromisoformat(text.strip()))
        except ValueError:
            wrong.append(f"a day or time is expected, such as 2024-01-31 or 2024-01-31T08:00. Got {text!r}.")
    if wrong:
        raise SpecError(wrong, where="--change")
    return times


def _in_utc(time: datetime, zone: str) -> datetime:
    from zoneinfo import ZoneInfo

    return (time if time.tzinfo else time.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


# What is printed


def lines(report: Report, found: Replay, allowed: Budget) -> Iterator[str]:
    """Yield the lines that tell of a replay."""
    from barograph.text.format import count, printable

    fired = count(found.total.alerts, "alert")
    yield f"{printable(report.model)}: {count(found.chunks, 'chunk')}{_period(report)}, budget {allowed}"
    yield f"{fired} in {count(len(report.incidents), 'incident')}; {count(found.total.monitors, 'monitor')}."
    yield ""
    yield from _records(report, found)
    if found.total.false_alarms is not None and found.days_before is not None:
        yield ""
        yield (
            f"Before the first change: {count(found.total.false_alarms, 'false alarm')} in {found.days_before:.3g} "
            f"days; the budget allows {allowed.per_day * found.days_before:.2g}."
        )
    yield from _detections(found)
    yield from _watches(report.watches)
    if any(row.label_coverage for row in report.rows):
        yield ""
        yield "Labels counted as known at the end of their chunk: with late labels, performance alerts come later."


def _period(report: Report) -> str:
    chunks = report.profiles.chunks
    if not chunks or chunks[0].start is None:
        return ", each counted as a day"
    return f", {chunks[0].key} to {chunks[-1].key}"


def _records(report: Report, found: Replay) -> Iterator[str]:
    from barograph.monitors.replay import MONTH

    header = ["Rule", "Monitors", "Chunks in breach", "Alerts", "First alert", f"Per {MONTH} days"]
    known = found.total.false_alarms is not None
    rows = [
        [
            record.rule or "all",
            f"{record.monitors:,}",
            f"{record.chunks_in_breach:,} of {found.chunks:,}",
            f"{record.alerts:,}",
            record.first or "–",
            f"{record.per_month:.3g}",
            *([f"{record.false_alarms:,}"] if known else []),
        ]
        for record in found.records
    ]
    yield from _table([*header, *(["False alarms"] if known else [])], rows, left=(0, 4))


def _detections(found: Replay) -> Iterator[str]:
    by_change: dict[datetime, list[list[str]]] = {}
    for d in found.detections:
        row = [d.rule or "all", d.chunk or "–"]
        row += [f"{d.chunks:,}" if d.chunks else "–", f"{d.days:.3g}" if d.days is not None else "–"]
        by_change.setdefault(d.change, []).append([*row, f"{d.firing:,}", d.monitor or ""])
    for change, rows in by_change.items():
        yield ""
        yield f"Change at {change:%Y-%m-%d %H:%M} UTC: {_found(rows[-1])}"
        header = ["Rule", "First alert", "After chunks", "After days", "Firing already", "Monitor"]
        yield from _table(header, rows, left=(0, 1, 5))


def _found(row: Sequence[str]) -> str:
    from barograph.text.format import printable

    _, chunk, chunks, days, firing, monitor = row
    if chunk != "–":
        units = ("chunk" if chunks == "1" else "chunks"), ("day" if days == "1" else "days")
        return f"found after {chunks} {units[0]}, {days} {units[1]}, by {printable(monitor)}"
    return "no new alert before the next change or the end" + (f"; {firing} fired already" if firing != "0" else "")


def _watches(watches: Sequence[Watch]) -> Iterator[str]:
    from barograph.text.format import count, printable

    if not watches:
        return
    by_rule: dict[str, list[Watch]] = {}
    for watch in sorted(watches, key=lambda w: (w.rule, w.change)):
        by_rule.setdefault(watch.rule, []).append(watch)
    yield ""
    yield "What each rule could have found, by its best and its worst monitor:"
    for rule, members in by_rule.items():
        useless = sum(not w.is_useful for w in members)
        yield f"  {rule} ({WORDS[rule]}): {count(len(members), 'monitor')}" + (
            f", {useless:,} of little use" if useless else ""
        )
        for watch in dict.fromkeys((members[0], members[-1])):
            yield f"    {printable(watch.monitor)}: {watch.detectable}"
    worst = sorted((w for w in watches if not w.is_useful), key=lambda w: (-w.change, w.monitor))
    if worst:
        yield ""
        yield "Monitors that could hardly have found anything:"
        yield from (f"  {printable(w.monitor)}: {w.detectable}" for w in worst[:MAX_WATCHES])
        if len(worst) > MAX_WATCHES:
            yield f"  and {len(worst) - MAX_WATCHES:,} more"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int]) -> Iterator[str]:
    from barograph.text.format import printable

    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        padded = (c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        yield "  ".join(padded).rstrip()


# What is written


def to_dict(report: Report, found: Replay, allowed: Budget) -> dict[str, Any]:
    """Return a replay as plain values, ready for JSON: times in ISO 8601 UTC, absent values None."""
    from dataclasses import asdict
    from math import isfinite

    whole = report.to_dict()
    return {
        "format": whole["format"],
        "model": report.model,
        "budget": str(allowed),
        "chunks": [chunk.key for chunk in report.profiles.chunks],
        "days": found.days,
        "days_before_first_change": found.days_before,
        "rules": [asdict(record) for record in found.records],
        "changes": [asdict(d) | {"change": d.change.isoformat().replace("+00:00", "Z")} for d in found.detections],
        "alerts": whole["alerts"],
        "incidents": whole["incidents"],
        "monitors": [
            {
                "monitor": watch.monitor,
                "rule": watch.rule,
                "days_between_false_alarms": watch.arl_days,
                "smallest_change": watch.change if isfinite(watch.change) else None,
                "detectable": watch.detectable,
            }
            for watch in report.watches
        ],
    }
