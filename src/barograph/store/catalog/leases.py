"""Leases: a piece of work that only one worker may do at a time, however many there are.

Times are those of the caller's clock. A worker that stops without a word is succeeded after the lease time at the
latest: a lease that ends further away than twice that time was written by a clock that ran ahead, and is taken over at
once. Clocks that differ or step can therefore make two workers believe that they hold one lease; they can never make
both of them keep what they did. Each take-over raises the token, and `check`, in the transaction that commits the
output, fails for all but the newest token. One that still believes learns at its next `renew`, which it should call
three times in the lease time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from barograph.errors import LeaseLost
from barograph.store.catalog.schema import leases


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to do the work `name` until `until_us`. `token` grows with each take-over."""

    name: str
    owner: str
    until_us: int
    token: int


def take(connection: Connection, name: str, owner: str, *, now_us: int, seconds: float) -> Lease | None:
    """Return the lease if it is free, or its time is over; None while another has it.

    `owner` must be unique among all workers, and is not asked for: who has lost a lease takes it like any other.
    """
    span_us = int(seconds * 1_000_000)
    until_us = now_us + span_us
    ended = over(leases.c.until_us, now_us=now_us, seconds=seconds)
    change = sa.update(leases).where(leases.c.name == name, ended)
    change = change.values(owner=owner, until_us=until_us, token=leases.c.token + 1)
    token = connection.execute(change.returning(leases.c.token)).scalar()
    if token is None:
        insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(leases)
        new = insert.values(name=name, owner=owner, until_us=until_us, token=1).on_conflict_do_nothing()
        token = connection.execute(new.returning(leases.c.token)).scalar()
    return None if token is None else Lease(name=name, owner=owner, until_us=until_us, token=int(token))


def renew(connection: Connection, lease: Lease, *, now_us: int, seconds: float) -> Lease:
    """Return the lease with a later end. Raises LeaseLost if another has taken it over."""
    until_us = now_us + int(seconds * 1_000_000)
    if not connection.execute(sa.update(leases).where(_held(lease)).values(until_us=until_us)).rowcount:
        raise _lost(lease)
    return replace(lease, until_us=until_us)


def release(connection: Connection, lease: Lease) -> None:
    """Give the lease back, so that the next one need not wait; nothing happens if another has taken it over."""
    # The row stays: its token must go on growing.
    connection.execute(sa.update(leases).where(_held(lease)).values(until_us=0))


def check(connection: Connection, lease: Lease) -> None:
    """Raise LeaseLost if another has taken the lease over; else nobody can until this transaction ends.

    Call it in the transaction that commits what was done under the lease.
    """
    locked = sa.select(leases.c.token).where(_held(lease)).with_for_update()
    if connection.execute(locked).scalar() is None:
        raise _lost(lease)


def over(until_us: sa.ColumnElement[int], *, now_us: int, seconds: float) -> sa.ColumnElement[bool]:
    """Return whether something that is renewed for `seconds` has ended, or was written by a clock that ran ahead."""
    return (until_us <= now_us) | (until_us > now_us + 2 * int(seconds * 1_000_000))


def _held(lease: Lease) -> sa.ColumnElement[bool]:
    return (leases.c.name == lease.name) & (leases.c.owner == lease.owner) & (leases.c.token == lease.token)


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(f"{lease.owner} does not have the work {lease.name!r} any more: another has taken it over.")
