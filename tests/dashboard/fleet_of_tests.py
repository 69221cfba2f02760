"""The models of these tests, and names that would do harm where they were not escaped."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from serving import PARQUET, Served, arrow, parquet

ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}
SCRIPT = "<script>document.title='taken'</script>"
TURNED = "\u202eturned \u05d0\u05d1"
LONG = "a_feature_with_a_name_" + "x" * 470
HOSTILE = (SCRIPT, TURNED, LONG, "quote' &amp;", "emoji 😀")
IMAGE = "<img src=x onerror=document.title='taken'>"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass(frozen=True)
class Watched:
    """A server with models: one in trouble, one with names that would do harm, one without anything."""

    served: Served
    incident: str

    @property
    def url(self) -> str:
        return self.served.url


def hostile(frame: pl.DataFrame, *, broken: bool = False) -> pl.DataFrame:
    """Return rows with columns and values whose names would do harm where they were not escaped."""
    rng = np.random.default_rng(7)
    n = frame.height
    numbers = {name: rng.normal(8.0 if broken else 0.0, 1.0, n) for name in HOSTILE}
    kinds = rng.choice([IMAGE, "plain"], n)
    return frame.with_columns(**{name: pl.Series(values) for name, values in numbers.items()}, kind=pl.Series(kinds))


def register(served: Served, name: str, reference: pl.DataFrame, rows: pl.DataFrame, **spec: object) -> None:
    """Register a model, learn its reference, and send events."""
    client = served.client
    given = {"task": "binary", "label": "label", "chunk": "1d", **spec}
    assert client.put(f"/v1/models/{name}", json=given).status_code == 201
    sent = client.post(f"/v1/models/{name}/references?wait=60", content=parquet(reference), headers=PARQUET)
    assert sent.status_code == 201, sent.text
    if rows.height:
        assert client.post(f"/v1/models/{name}/events", content=arrow(rows), headers=ARROW).status_code == 200


@contextmanager
def looking(chromium: Any, url: str, **options: Any) -> Iterator[Any]:
    """Give a page of a browser; whatever it complains of, and each request that leaves the host, is a fault."""
    context = chromium.new_context(base_url=url, **options)
    page, faults = context.new_page(), []
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(url) else faults.append(f"asked {r.url}"))
    try:
        yield page
    finally:
        context.close()
    assert not [fault for fault in faults if not re.search("status of 4..", fault)]
