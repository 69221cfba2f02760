"""What was not checked, and why: silence is never an answer."""

from __future__ import annotations

from collections.abc import Sequence

from barograph.monitors.results import Result
from barograph.profiles.encode import PRESENCE_ONLY
from barograph.profiles.profiles import Profiles
from barograph.reference.reference import Reference
from barograph.report.report import NotChecked
from barograph.rules.limits import Status
from barograph.spec.schema import Task

SHOWN_COLUMNS = 10


def not_checked(reference: Reference, profiles: Profiles, results: Sequence[Result]) -> list[NotChecked]:
    """Return what the data did not allow to check, most important first."""
    schema = reference.schema
    found = []
    if not profiles.chunks:
        found.append(NotChecked(what="everything", why="the production data has no rows"))
    if profiles.outside:
        why = f"{profiles.outside:,} rows have no usable time in `{schema.timestamp}`; they are in no chunk"
        found.append(NotChecked(what="rows without a time", why=why))
    if schema.label is None:
        found.append(NotChecked(what="performance", why="no label column is known"))
    elif schema.label in profiles.missing_columns:
        found.append(NotChecked(what="performance", why=f"the production data has no label column `{schema.label}`"))
    if schema.label is None or not reference.total.counts(schema.label).present:
        found.append(NotChecked(what="estimated performance", why="the reference has no labels to learn it from"))
    if schema.prediction is None and not schema.scores:
        found.append(NotChecked(what="predictions", why="neither a prediction nor a score column is known"))
    elif schema.task is not Task.REGRESSION and not schema.scores:
        why = "no score column is known: ROC AUC, log loss, calibration and the like need one"
        found.append(NotChecked(what="metrics of scores", why=why))
    if schema.timestamp is None:
        found.append(NotChecked(what="time", why="no timestamp column is known: chunks are runs of rows"))
    if schema.id is None:
        found.append(NotChecked(what="duplicate events", why="no id column is known"))
    found += _columns("gone from the production data", profiles.missing_columns, "it is read as missing")
    found += _columns("new in the production data", profiles.extra_columns, "the reference does not know it")
    presence = [name for name, kind in schema.features.items() if kind in PRESENCE_ONLY]
    found += _columns("text, times or embeddings", presence, "only missing values are checked")
    found.append(NotChecked(what="domain classifier and MMD", why="they take seconds a chunk, and run on demand only"))
    found += _undefined(results)
    return found


def _columns(what: str, names: Sequence[str], why: str) -> list[NotChecked]:
    if not names:
        return []
    listed = ", ".join(f"`{name}`" for name in names[:SHOWN_COLUMNS])
    more = f" and {len(names) - SHOWN_COLUMNS} more" if len(names) > SHOWN_COLUMNS else ""
    return [NotChecked(what=f"{listed}{more}", why=f"{what}: {why}")]


def _undefined(results: Sequence[Result]) -> list[NotChecked]:
    """Return the metrics that have no value in any chunk, grouped by reason."""
    defined = {r.monitor for r in results if r.status is not Status.UNDEFINED}
    reasons: dict[str, dict[str, None]] = {}
    for row in results:
        if row.monitor not in defined and row.reason:
            reasons.setdefault(row.reason, {})[row.monitor] = None
    return [_columns("undefined", list(names), reason)[0] for reason, names in reasons.items()]
