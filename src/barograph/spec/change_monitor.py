"""Changing how one monitor is watched: the specification that says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any  # Any: values of any key of a monitor

from barograph.spec.file import ModelSpec, MonitorSpec, spec_of


def change_monitor(
    spec: ModelSpec,
    *,
    metric: str,
    column: str | None,
    segment: str | None,
    columns: Sequence[str],
    is_default: bool,
    **change: Any,
) -> ModelSpec:
    """Return a specification that watches one monitor in another way, and all others as before.

    `columns` are those for which the metric is watched in this segment: a table that is meant for all of them goes on
    for the others. What the specification says of the monitor already stays, but for what `change` says. `is_default`
    tells that it is watched without being asked for: only then does switching it `off` need a table. Raises SpecError
    for values that cannot be.

    >>> spec = ModelSpec(monitors=(MonitorSpec(metric="psi", hold=2),))
    >>> new = change_monitor(spec, metric="psi", column="a", segment=None, columns=["a", "b"], is_default=False, hold=3)
    >>> [(m.columns, m.hold) for m in new.monitors]
    [(('b',), 2), (('a',), 3)]
    """
    kept: list[MonitorSpec] = []
    before: dict[str, Any] = {}
    for one in spec.monitors:
        if one.metric != metric or one.segment != segment or not _is_of(one, column):
            kept.append(one)
            continue
        before |= {name: getattr(one, name) for name in one.model_fields_set}
        others = tuple(name for name in one.columns or columns if name != column) if column is not None else ()
        if others:
            kept.append(one.model_copy(update={"columns": others}))
    if change.get("off"):
        before, change = {}, {"off": True}
    said = before | change | {"metric": metric}
    said |= {"columns": (column,)} if column is not None else {}
    said |= {"segment": segment} if segment is not None else {}
    if is_default or not change.get("off"):
        kept += spec_of({"monitors": [{name: value for name, value in said.items() if value is not None}]}).monitors
    return spec.model_copy(update={"monitors": tuple(kept)})


def _is_of(one: MonitorSpec, column: str | None) -> bool:
    return column is None or one.columns is None or column in one.columns
