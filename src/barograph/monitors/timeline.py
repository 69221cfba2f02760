"""Where chunks lie in time, seen from the reference: in lengths of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from barograph.estimation.experience import When
from barograph.profiles.profiles import Profile
from barograph.reference.reference import Reference
from barograph.times import to_microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The time of a reference: from `start`, for `length`, in microseconds; in rows where they have no time.

    `blocks` are the middles of its blocks: 0 is where the reference begins, and 1 where it ends.
    """

    start: float
    length: float
    timed: bool
    blocks: tuple[float, ...]

    @classmethod
    def of(cls, reference: Reference) -> Timeline:
        """Return the timeline of a reference."""
        blocks = list(reference.blocks.select())
        spans = [_span(block) for block in blocks]
        known = [span for span in spans if span is not None]
        if len(known) == len(blocks) and known and known[-1][1] > known[0][0]:
            start, length = known[0][0], known[-1][1] - known[0][0]
            return cls(start=start, length=length, timed=True, blocks=tuple(_middles(known, start, length)))
        ends, rows = [], 0.0
        for block in blocks:
            ends.append((rows, rows + block.n))
            rows += block.n
        return cls(start=0.0, length=max(rows, 1.0), timed=False, blocks=tuple(_middles(ends, 0.0, max(rows, 1.0))))

    def places(self, profiles: Iterable[Profile]) -> dict[str, When]:
        """Return where each chunk lies, by its key. Chunks without a time follow each other from the reference's end.

        What lies before the reference is as far from it as what lies after it, and nothing is nearer than its end.
        """
        found, rows = {}, self.start + self.length
        for profile in profiles:
            span = _span(profile) if self.timed else (rows, rows + profile.n)
            rows += profile.n
            if span is None:
                found[profile.chunk.key] = When(1.0, 1 / max(len(self.blocks), 1))
                continue
            length = (span[1] - span[0]) / self.length
            middle = ((span[0] + span[1]) / 2 - self.start) / self.length
            found[profile.chunk.key] = When(max(middle, 1 - middle, 1.0), length)
        return found


def _span(profile: Profile) -> tuple[float, float] | None:
    chunk = profile.chunk
    if chunk.start is None or chunk.end is None:
        return None
    return float(to_microseconds(chunk.start)), float(to_microseconds(chunk.end))


def _middles(spans: Iterable[tuple[float, float]], start: float, length: float) -> Iterable[float]:
    return (((first + last) / 2 - start) / length for first, last in spans)
