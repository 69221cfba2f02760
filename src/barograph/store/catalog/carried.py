"""What an evaluation carries from chunk to chunk, in pieces: so that another process goes on where one has ended.

It is derived: where it is not there, or cannot be read, everything is evaluated anew, with the same results.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

import sqlalchemy as sa

from barograph.store.catalog.schema import carried
from barograph.store.catalog.scope import Scope

Kind = Literal["chunk", "course"]
HEAD = "head"


def read_head(scope: Scope, model_id: int) -> bytes | None:
    """Return what holds for all pieces; None where there are none that can be used."""
    mine = (carried.c.model_id == model_id) & (carried.c.kind == HEAD)
    body: bytes | None = scope.value(scope.select(carried, carried.c.body).where(mine))
    return body or None


def read_pieces(scope: Scope, model_id: int, kind: Kind) -> dict[int, bytes]:
    """Return the pieces of a kind by their place, in its order."""
    mine = (carried.c.model_id == model_id) & (carried.c.kind == kind)
    found = scope.rows(scope.select(carried, carried.c.at, carried.c.body).where(mine).order_by(carried.c.at))
    return {row.at: row.body for row in found}


def void(scope: Scope, model_id: int | sa.ScalarSelect[int]) -> None:
    """Say that what is there is not to be used: profiles are gone, or results are being replaced by others."""
    mine = (carried.c.model_id == model_id) & (carried.c.kind == HEAD)
    scope.change(scope.update(carried).where(mine).values(body=b""))


def write(
    scope: Scope,
    model_id: int,
    head: bytes,
    *,
    new: Mapping[Kind, Mapping[int, bytes]],
    gone: Mapping[Kind, Collection[int]] | None,
) -> None:
    """Write the head and what is new, and remove what is gone; None: all that is there."""
    mine = carried.c.model_id == model_id
    if gone is None:
        scope.change(scope.delete(carried).where(mine))
    for kind, places in (gone or {}).items():
        if places:
            of_kind = (carried.c.kind == kind) & (carried.c.at == sa.bindparam("place"))
            scope.change_each(scope.delete(carried).where(mine & of_kind), [{"place": at} for at in places])
    rows = [(kind, at, body) for kind, bodies in new.items() for at, body in bodies.items()]
    values = [{"model_id": model_id, "kind": k, "at": at, "body": body} for k, at, body in (*rows, (HEAD, 0, head))]
    scope.upsert(carried, values, key=("model_id", "kind", "at"), replace=("body",))
