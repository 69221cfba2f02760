"""Profiles chunk by chunk: taken apart to be kept one by one, and put together to be evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from barograph.chunks import Chunk
from barograph.profiles.profiles import Profiles
from barograph.profiles.tables import Tables, add_tables, empty_tables
from barograph.profiles.yardstick import Yardstick
from barograph.sketches.distinct import Distinct
from barograph.sketches.sample import Sample


def pick(profiles: Profiles, positions: Sequence[int]) -> Profiles:
    """Return the profiles of some chunks, in the order of `positions`."""
    where = np.array(positions, np.intp)

    def of(tables: Tables) -> Tables:
        return {name: array[where] for name, array in tables.items()}

    return replace(
        profiles,
        chunks=tuple(profiles.chunks[i] for i in positions),
        tables=of(profiles.tables),
        segment_tables=tuple(map(of, profiles.segment_tables)),
        samples=tuple(profiles.samples[i] for i in positions) if profiles.samples else (),
        ids=tuple(profiles.ids[i] for i in positions) if profiles.ids else (),
    )


def regroup(profiles: Profiles, chunks: Sequence[Chunk], positions: npt.NDArray[np.intp]) -> Profiles:
    """Return the same rows in fewer chunks: chunk `i` becomes a part of `chunks[positions[i]]`. Samples and ids go."""

    def of(tables: Tables, *, products: bool) -> Tables:
        into = empty_tables(profiles.yardstick, len(chunks), products=products)
        add_tables(profiles.yardstick, into, tables, positions)
        return into

    return replace(
        profiles,
        chunks=tuple(chunks),
        tables=of(profiles.tables, products=True),
        segment_tables=tuple(of(tables, products=False) for tables in profiles.segment_tables),
        samples=(),
        ids=(),
    )


def split(profiles: Profiles) -> list[Profiles]:
    """Return the profiles of each chunk by itself."""
    return [pick(profiles, [i]) for i in range(len(profiles.chunks))]


def join(yardstick: Yardstick, chunks: Sequence[Chunk], parts: Mapping[str, Profiles]) -> Profiles:
    """Return the profiles of `chunks`, each from the one-chunk profiles under its key; a chunk without any has no rows.

    All `parts` were measured with `yardstick`. What a chunk is, such as its completeness, is told by `chunks`.
    """
    some = next(iter(parts.values()), None)
    if not chunks or some is None:
        return Profiles(
            yardstick=yardstick, chunks=tuple(chunks), tables=empty_tables(yardstick, len(chunks), products=True)
        )
    features = len(yardstick.schema.features)
    empty = empty_tables(yardstick, 1, products=True)
    empty_segment = empty_tables(yardstick, 1, products=False)
    found = [parts.get(chunk.key) for chunk in chunks]
    known = list(parts.values())

    def stacked(pieces: Sequence[Tables]) -> Tables:
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    return Profiles(
        yardstick=yardstick,
        chunks=tuple(chunks),
        tables=stacked([part.tables if part else empty for part in found]),
        segments=some.segments,
        segment_tables=tuple(
            stacked([part.segment_tables[j] if part else empty_segment for part in found])
            for j in range(len(some.segments))
        ),
        samples=tuple(part.samples[0] if part else Sample.empty(some.samples[0].k, features=features) for part in found)
        if some.samples
        else (),
        ids=tuple(part.ids[0] if part else Distinct.empty(some.ids[0].k) for part in found) if some.ids else (),
        outside=sum(part.outside for part in known),
        astray=sum(part.astray for part in known),
        astray_example=next((part.astray_example for part in known if part.astray_example), None),
        missing_columns=tuple(c for c in some.missing_columns if all(c in part.missing_columns for part in known)),
        extra_columns=tuple(dict.fromkeys(c for part in known for c in part.extra_columns)),
        type_changes=tuple(dict.fromkeys(c for part in known for c in part.type_changes)),
    )
