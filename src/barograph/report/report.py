"""A report: everything that one check found, and how to hand it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any  # Any: JSON values

import msgspec

from barograph.alerts.alert import Alert
from barograph.alerts.breach import Breach
from barograph.alerts.condition import Judgement
from barograph.alerts.hygiene import Finding
from barograph.alerts.incident import Incident
from barograph.alerts.severity import Severity
from barograph.causes.explain import Trust, sentence
from barograph.checks.loss import Loss
from barograph.checks.not_checked import NotChecked
from barograph.labels.self_audit import SelfAudit
from barograph.monitors.evidence import Watch
from barograph.monitors.results import Result, results_frame
from barograph.profiles.profiles import Profiles
from barograph.reference.reference import Reference

if TYPE_CHECKING:
    import polars as pl

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """What a check found.

    `verdict` is one sentence, `judgement` says it in a word; `severity` is None if nothing was found, else the gravest
    of the whole time, also of what is over.
    `rows` are all result rows; `results` is the same as a Polars frame. `alerting` names the monitors whose breaches
    are told to people, `breaches` are those, before they become alerts. `watches` say what each monitor with
    evidence could have found, `trust` whether arrived labels confirm the estimates, `audits` how often their intervals
    held, `loss` what the loss of the worst chunk is made of, and `hygiene` which monitors are noisy or useless, and
    what to change. `read` says in words how production data was read, where that was not a matter of course.
    """

    model: str
    reference: Reference
    profiles: Profiles
    rows: Sequence[Result]
    watches: Sequence[Watch]
    alerts: Sequence[Alert]
    incidents: Sequence[Incident]
    not_checked: Sequence[NotChecked]
    verdict: str
    judgement: Judgement
    severity: Severity | None
    alerting: Sequence[str] = ()
    breaches: Sequence[Breach] = ()
    trust: Trust | None = None
    audits: Mapping[str, SelfAudit] = field(default_factory=dict)
    loss: Loss | None = None
    hygiene: Sequence[Finding] = ()
    read: Sequence[str] = ()

    @cached_property
    def results(self) -> pl.DataFrame:
        """Return the result rows as a frame: the columns are documented in ARCHITECTURE.md."""
        return results_frame(list(self.rows))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, ready for JSON: times in ISO 8601 UTC, absent values None."""
        plain: dict[str, Any] = msgspec.json.decode(self._encoded())
        return plain

    def _encoded(self) -> bytes:
        content = {
            "format": FORMAT_VERSION,
            "model": self.model,
            "verdict": self.verdict,
            "judgement": self.judgement.value,
            "severity": self.severity.value if self.severity else None,
            "results": self.results.to_dicts(),
            "alerts": [alert.to_dict() for alert in self.alerts],
            "incidents": [incident.to_dict() for incident in self.incidents],
            "not_checked": [{"what": n.what, "why": n.why} for n in self.not_checked],
            "read": list(self.read),
            "hygiene": [finding.to_dict() for finding in self.hygiene],
            "trust": self.trust and _trusted(self.trust, self.audits),
            "loss": self.loss and {"chunk": self.loss.chunk, "text": sentence(self.loss.metric, self.loss.parts)},
        }
        return msgspec.json.encode(content, enc_hook=_of_numpy)  # NaN and infinities as null, times in ISO 8601

    def to_json(self) -> str:
        """Return the report as JSON."""
        return msgspec.json.format(self._encoded(), indent=1).decode()

    def write_json(self, path: str | PathLike[str]) -> None:
        """Write the report as JSON."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    def write_parquet(self, path: str | PathLike[str]) -> None:
        """Write the result rows as Parquet."""
        self.results.write_parquet(Path(path))

    def to_html(self) -> str:
        """Return a self-contained page that opens without a network."""
        from barograph.report.html import page

        return page(self)

    def write_html(self, path: str | PathLike[str]) -> None:
        """Write the page."""
        Path(path).write_text(self.to_html(), encoding="utf-8")

    def _repr_html_(self) -> str:
        from barograph.report.html import fragment

        return fragment(self)

    def __repr__(self) -> str:
        return f"<Report of {self.model}: {self.verdict}>"


def _trusted(trust: Trust, audits: Mapping[str, SelfAudit]) -> dict[str, Any]:
    return {
        "state": trust.state.value,
        "labels": trust.labels,
        "contradicted_after": trust.contradicted_after,
        "interval_coverage": {name: audit.coverage for name, audit in audits.items()},
    }


def _of_numpy(value: Any) -> Any:
    """Return a number of numpy as one of Python."""
    return value.item()
