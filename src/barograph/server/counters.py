"""What the service counts of itself while it answers: plain numbers, touched by the event loop alone."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

# Upper bounds in seconds: fine where ingest should be (50 ms), coarse where uploads are.
LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


@dataclass(slots=True)
class Latency:
    """Counts of requests by how long they took; the last is of those above every bound."""

    seconds: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCIES) + 1))

    def add(self, seconds: float) -> None:
        """Count one request."""
        self.seconds += seconds
        self.counts[bisect_left(LATENCIES, seconds)] += 1


@dataclass(slots=True, eq=False)
class Counters:
    """Requests by (route, method, status) and rows by (kind, what became of them).

    Routes are the templates of the table of rules, so that the number of entries is bounded.
    """

    requests: dict[tuple[str, str, int], Latency] = field(default_factory=dict)
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        key = (route, method, status)
        latency = self.requests.get(key)
        if latency is None:
            latency = self.requests[key] = Latency()
        latency.add(seconds)
