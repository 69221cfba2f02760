"""Watch: breaches in, alerts and incidents out, chunk by chunk as it would have happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from barograph.alerts.alert import Alert, Moment, State, badness, key_of, step
from barograph.alerts.breach import Breach
from barograph.alerts.incident import Incident, group
from barograph.alerts.levels import NO_LEVELS, Levels
from barograph.alerts.silence import Silence, silences_at
from barograph.chunks import Chunk
from barograph.errors import MismatchError, SpecError

Key = tuple[str, ...]
Unsettled = Mapping[tuple[str, str, int], float | None]
Patience = Mapping[str, tuple[int, int]]
HOLD, QUIET = 0, 2  # chunks


def watch(
    breaches: Iterable[Breach],
    chunks: Sequence[Chunk],
    *,
    hold: int = HOLD,
    quiet: int = QUIET,
    own: Patience | None = None,
    silences: Sequence[Silence] = (),
    now: datetime | None = None,
    outputs: Collection[str] = (),
    unsettled: Unsettled | None = None,
    levels: Levels = NO_LEVELS,
) -> tuple[list[Alert], list[Incident]]:
    """Return all alerts, the oldest first, and the incidents, the gravest first.

    `chunks` are all that were evaluated, in the order of time: `Breach.position` is a place in it. `hold` and `quiet`
    are numbers of chunks (see `step`), and `own` are those of single monitors, by name.
    `outputs` are the columns that the model makes, such as its score. `unsettled`
    names what else is known of chunks that are not in breach, by model, monitor and position: the evidence (log
    e-value) that they still had, or None where there was no result. `levels` is what was measured, for titles.

    `now` is the time at which `silences` hold or do not. Nothing here reads a clock: without `now` it is the end of the
    last chunk, when what is told of it could first be known, as when the past is replayed; chunks without times are
    under endless silences alone.

    The order of `breaches` does not matter; of two of one monitor in one chunk the graver counts. A breach outside of
    `chunks` raises MismatchError.
    """
    if hold < 0 or quiet < 1:
        raise SpecError(f"`hold` is at least 0 chunks, `quiet` at least 1. Got hold={hold!r} and quiet={quiet!r}.")
    alerts = replay(breaches, chunks, hold=hold, quiet=quiet, own=own, unsettled=unsettled)
    if silences:
        time = now or (chunks[-1].end if chunks else None)
        alerts = [replace(alert, silenced_by=silences_at(silences, alert.labels, time)) for alert in alerts]
    return group(alerts, chunks, outputs=outputs, levels=levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The alerts after the first `chunks` chunks: those that are `alive`, and those that are `done`."""

    chunks: int = 0
    alive: Mapping[Key, Alert] = field(default_factory=dict)
    done: tuple[Alert, ...] = ()

    @property
    def alerts(self) -> list[Alert]:
        """Return all of them, the oldest first: those that fired, and those that are still pending."""
        return sorted([*self.done, *self.alive.values()], key=lambda alert: (alert.first.position, alert.key))


def replay(
    breaches: Iterable[Breach],
    chunks: Sequence[Chunk],
    *,
    hold: int = HOLD,
    quiet: int = QUIET,
    own: Patience | None = None,
    unsettled: Unsettled | None = None,
) -> list[Alert]:
    """Return the alerts of all chunks, the oldest first: those that fired, and those that are still pending."""
    return go_on(Watched(), breaches, chunks, hold=hold, quiet=quiet, own=own, unsettled=unsettled).alerts


def go_on(
    watched: Watched,
    breaches: Iterable[Breach],
    chunks: Sequence[Chunk],
    *,
    hold: int = HOLD,
    quiet: int = QUIET,
    own: Patience | None = None,
    unsettled: Unsettled | None = None,
) -> Watched:
    """Return the alerts after all of `chunks`, of which `watched` has seen the first ones.

    `breaches` and `unsettled` need to name only those of the other chunks.
    """
    due = _by_position(breaches, len(chunks))
    unsettled, own = unsettled or {}, own or {}
    alive, done = dict(watched.alive), list(watched.done)
    for position in range(watched.chunks, len(chunks)):
        now, here = Moment(position, chunks[position]), due.get(position, {})
        for key in list(alive):
            if key in here:
                continue
            alert = alive[key]
            name = (alert.last_breach.model, alert.last_breach.monitor, position)
            wait, calm = own.get(alert.last_breach.monitor, (hold, quiet))
            after = step(
                alert,
                None,
                now=now,
                hold=wait,
                quiet=calm,
                evidence=unsettled.get(name),
                defined=name not in unsettled or unsettled[name] is not None,
            )
            if after is None or after.state is State.RESOLVED:
                del alive[key]
                done += [after] if after else []
            else:
                alive[key] = after
        for key, breach in here.items():
            wait, calm = own.get(breach.monitor, (hold, quiet))
            after = step(alive.get(key), breach, now=now, hold=wait, quiet=calm)
            if after is not None:
                alive[key] = after
    return Watched(chunks=len(chunks), alive=alive, done=tuple(done))


def _by_position(breaches: Iterable[Breach], chunks: int) -> dict[int, dict[Key, Breach]]:
    due: defaultdict[int, dict[Key, Breach]] = defaultdict(dict)
    for breach in breaches:
        if not 0 <= breach.position < chunks:
            raise MismatchError(
                f"A breach of {breach.monitor!r} is at position {breach.position} (chunk {breach.chunk!r}), but there "
                f"are {chunks} chunks. Hand over all chunks that were evaluated, in the order of time."
            )
        key = key_of(breach)
        other = due[breach.position].get(key)
        if other is None or (badness(breach), repr(breach)) > (badness(other), repr(other)):
            due[breach.position][key] = breach
    return due
