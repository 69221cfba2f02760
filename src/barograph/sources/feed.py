"""What a source is given while it runs: where rows go, and where it is kept how far it got."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol  # Any: JSON values

import pyarrow as pa

from barograph.client.files import Put

if TYPE_CHECKING:
    from barograph.store.catalog.sources import SourceFile


class Feed(Protocol):
    """One turn of a source that is polled. Everything it keeps is refused once another has taken over."""

    @property
    def position(self) -> Mapping[str, Any]:
        """Return how far the turn before got, as `keep` was told; empty before the first."""

    @property
    def now_us(self) -> int:
        """Return the time, in microseconds since 1970."""

    def put(self, table: pa.Table) -> None:
        """Hand rows on; they are on the disk when this returns. Raises Stopping when the process ends."""

    def keep(self, position: Mapping[str, Any]) -> None:
        """Keep how far the source has got. What was put before is never lost, what is put later may come twice."""

    def seen(self, paths: Sequence[str]) -> Mapping[str, SourceFile]:
        """Return those of these files that were handed on already, by path."""

    def same_as(self, digest: str) -> str | None:
        """Return the path of a file with this content that was handed on; None if there is none."""

    def keep_file(self, file: SourceFile) -> None:
        """Keep that the rows of a file have been handed on."""

    def note(self, what: str) -> None:
        """Say something that people should know, and that is no failure; it stands beside the source's state."""

    def lag(self, *, seconds: float | None = None, rows: int | None = None) -> None:
        """Say how far the source is behind what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What a source that is followed is given.

    `put` takes a body and its content type, and has it on the disk when it returns; `told` is called now and then, with
    the lag in rows. `stopped` says that it is to end, and `wait` waits that many seconds or until then.
    """

    put: Put
    stopped: Callable[[], bool]
    wait: Callable[[float], object]
    told: Callable[[int | None], None]
