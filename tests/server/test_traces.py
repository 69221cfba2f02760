"""An incident has examples: traces of events of its first chunk, with links into the user's tracing system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from serving import PARQUET, Served, parquet, serving, wait_for

from barograph.errors import SpecError
from barograph.server.traces import MOST, link
from barograph.store.settings import settings_from
from logged import events

BASE = "/v1/models/flights"


def event(i: int, *, day: int = 20, **context: Any) -> dict[str, Any]:
    row = {"id": f"e{i}", "timestamp": f"2024-01-{day}T10:00:{i:02d}Z", "features": {"x": 0.5}, "score": 0.5}
    return {**row, "context": context}


def of_probe(served: Served) -> dict[str, Any]:
    found: list[dict[str, Any]] = served.client.get("/v1/incidents").json()["items"]
    return next(incident for incident in found if "golden" in incident["title"])


def traces(served: Served) -> list[dict[str, Any]]:
    incident = of_probe(served)
    found: list[dict[str, Any]] = served.client.get(f"/v1/incidents/{incident['id']}").json()["traces"]
    return found


def test_an_incident_names_traces_of_its_first_chunk(tmp_path: Path) -> None:
    template = "https://tempo.example.org/trace/{trace_id}?span={span_id}"
    with serving(tmp_path, workers=True, trace_url=template) as served:
        client = served.client
        assert client.put(BASE, json={"task": "binary", "label": "label"}).status_code == 201
        probe = {"probe": "golden", "rows": 1, "failed": 1, "at": "2024-01-20T12:00:00Z"}
        assert client.post(f"{BASE}/probes", json=probe).json()["incident"]
        assert traces(served) == [], "nothing is known of its events yet"
        sent = client.post(f"{BASE}/references?wait=60", content=parquet(events(1500, seed=1)), headers=PARQUET)
        assert sent.status_code == 201
        assert traces(served) == []
        rows = [
            event(1, trace_id="a/b", span_id="s1"),
            event(2, trace_id="second"),
            event(3, trace_id="third", span_id="s3", error="ValueError"),
            event(4, trace_id="third", span_id="s4"),
            event(5, trace_id=7),
            event(6, other="x"),
            event(7, day=21, trace_id="another day"),
        ]
        assert client.post(f"{BASE}/events", json=rows).json()["accepted"] == 7
        wait_for(lambda: bool(client.get(BASE).json()["state"]["events"] == 7), "they are filed")
        found = traces(served)
        assert [(one["event"], one["trace_id"], one["error"]) for one in found] == [
            ("e3", "third", "ValueError"),
            ("e1", "a/b", None),
            ("e2", "second", None),
        ]
        urls = [one["url"] for one in found]
        assert urls[:2] == [
            f"https://tempo.example.org/trace/{t}?span={s}" for t, s in (("third", "s3"), ("a%2Fb", "s1"))
        ]
        assert urls[2] is None, "it has no span, which the address needs"
        incident = of_probe(served)
        page = client.get(f"/incidents/{incident['id']}").text
        assert 'href="https://tempo.example.org/trace/third?span=s3"' in page
        assert "ValueError" in page
        many = [event(i + 10, trace_id=f"t{i}") for i in range(MOST + 5)]
        assert client.post(f"{BASE}/events", json=many).json()["accepted"] == MOST + 5
        wait_for(lambda: bool(client.get(BASE).json()["state"]["events"] == MOST + 12), "they are filed")
        assert len(traces(served)) == MOST


@pytest.mark.parametrize(
    "url", ["https://tempo", "ftp://t/{trace_id}", "https://t/{trace_id}{other}", "javascript:{trace_id}"]
)
def test_an_address_that_leads_to_no_trace_is_refused(url: str) -> None:
    with pytest.raises(SpecError, match="BAROGRAPH_TRACE_URL must be as in"):
        settings_from({"BAROGRAPH_TRACE_URL": url})


def test_addresses() -> None:
    assert (
        settings_from({"BAROGRAPH_TRACE_URL": "https://t:8/x?id={trace_id}"}).trace_url == "https://t:8/x?id={trace_id}"
    )
    assert link(None, "t", "s") is None
    assert link("https://t/{trace_id}", '"><script>', None) == "https://t/%22%3E%3Cscript%3E"
