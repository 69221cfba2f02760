"""Probes: an incident as long as a model does not answer golden inputs as it did."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from barograph.store.catalog.alerts import OperationsIncident, firing_operations, write_operations
from barograph.store.catalog.incidents import get_incident
from barograph.store.catalog.models import Model
from barograph.store.catalog.scope import Scope
from barograph.text.format import count

METRIC = "probe"
_ADVICE = (
    "Ask the model one of these inputs by hand, and compare what it runs on (libraries, the model's file, the units of "
    "its inputs) with what it ran on when the answers were recorded."
)
_DEAD = "No input has an answer: see whether the model still runs, and whether the probe reaches it."


def watch_probe(
    scope: Scope,
    model: Model,
    probe: str,
    *,
    rows: int,
    wrong: int,
    failed: int,
    findings: Sequence[str],
    at_us: int,
    now_us: int,
) -> str | None:
    """Open an incident for a probe with `wrong` rows, or resolve it; return the id of the one that fires.

    It is critical where no row passed, else a warning. Its beginning is the first run that did not pass. Whoever calls
    this does so in the transaction that keeps what the probe has found.
    """
    prefix = f"probe-{model.id}-{blake2b(probe.encode(), digest_size=6).hexdigest()}-"
    firing = [(id, since) for id, since in firing_operations(scope, model.id, METRIC) if id.startswith(prefix)]
    if not wrong and not firing:
        return None
    id, since_us = firing[0] if firing else (f"{prefix}{at_us}", at_us)
    said = f"of {count(rows, 'golden row')}, {wrong:,} {'is' if wrong == 1 else 'are'} not answered as recorded"
    before = get_incident(scope, id, model_id=model.id)
    severity = "critical" if wrong == rows else "warning"
    write_operations(
        scope,
        model.id,
        OperationsIncident(
            id=id,
            state="firing" if wrong else "resolved",
            severity=severity if wrong or before is None else before.severity,
            metric=METRIC,
            title=f"probe {probe!r}: {said}" if wrong else f"probe {probe!r} did not pass, and does again",
            since_us=since_us,
            until_us=None if wrong else max(at_us, since_us),
            body={
                "model": model.name,
                "probe": probe,
                "findings": list(findings),
                "advice": _DEAD if failed == rows else _ADVICE,
            },
        ),
        now_us=now_us,
    )
    return id if wrong else None
