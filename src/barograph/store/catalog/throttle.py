"""How fast somebody may try to sign in.

An attempt is counted before it is made, in a transaction of its own, so that many at once count like many one after the
other. From a browser that the user has signed in with before, it is counted against that browser alone: nobody else
can make its owner wait. All others are counted by address, by name, and by both.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from barograph.store.catalog.schema import attempts, devices
from barograph.store.catalog.tokens import digest_of, new_token

# Failures that cost nothing, by what they are counted by; then the wait doubles, from a second on.
FREE: Mapping[str, int] = {"device": 5, "both": 5, "address": 30, "name": 100}
SECOND_US = 1_000_000
LONGEST_US = 900 * SECOND_US
FORGET_US = 24 * 3_600 * SECOND_US  # without another failure
MOST_DEVICES = 20  # of one user
MOST_ROWS = 50_000  # that are kept: each new one costs whoever tries the work of a password


def wait_us(kind: str, failures: int) -> int:
    """Return how long to wait after so many failures, in microseconds.

    >>> [wait_us("both", failures) // SECOND_US for failures in (0, 4, 5, 6, 10, 99)]
    [0, 0, 1, 2, 32, 900]
    """
    beyond = failures - FREE[kind]
    return 0 if beyond < 0 else min(LONGEST_US, SECOND_US << min(beyond, 20))


def counted_by(name: str, address: str | None, device: str | None) -> list[str]:
    """Return what an attempt is counted by. `device` is the token of a browser that is known as the user's.

    Names are not kept as they were typed: now and then it is a password.
    """
    if device is not None:
        return [f"device {digest_of(device).hex()}"]
    by_name, place = _hidden(name), network_of(address)
    return [f"both {by_name} {place}", f"address {place}", f"name {by_name}"]


def network_of(address: str | None) -> str:
    """Return what an address is counted as: who has one of IPv6 has all of its /64. None is one place, too.

    >>> [network_of(a) for a in ("10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1:2:3:4", None)]
    ['10.0.0.1', '10.0.0.1', '2001:db8::/64', 'unknown']
    """
    if address is None:
        return "unknown"
    one = ipaddress.ip_address(address)
    if one.version == 4:
        return str(one)
    return str(one.ipv4_mapped or f"{ipaddress.IPv6Address(int(one) >> 64 << 64)}/64")


def charge(connection: Connection, whats: Sequence[str], *, now_us: int) -> int:
    """Count an attempt, and return 0; or count nothing, and return how long to wait, in microseconds."""
    connection.execute(sa.delete(attempts).where(attempts.c.last_us <= now_us - FORGET_US))
    if connection.dialect.name != "sqlite":  # two attempts at once must see each other
        for what in sorted(whats):
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(what, 0))))
    rows = connection.execute(sa.select(attempts).where(attempts.c.what.in_(whats))).fetchall()
    costs = [(row.last_us, wait_us(row.what.split()[0], row.failures)) for row in rows]
    waits = [min(last_us + cost - now_us, cost) for last_us, cost in costs]  # also where the clock stepped back
    if max(waits, default=0) > 0:
        return int(max(waits))
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(attempts)
    more = {"failures": attempts.c.failures + 1, "last_us": now_us}
    insert = insert.on_conflict_do_update(index_elements=["what"], set_=more)
    connection.execute(insert, [{"what": what, "failures": 1, "last_us": now_us} for what in whats])
    if (connection.execute(sa.select(sa.func.count()).select_from(attempts)).scalar() or 0) > MOST_ROWS:
        newest = sa.select(attempts.c.what).order_by(attempts.c.last_us.desc()).limit(MOST_ROWS * 9 // 10)
        connection.execute(sa.delete(attempts).where(attempts.c.what.not_in(newest)))
    return 0


def forgive(connection: Connection, whats: Sequence[str]) -> None:
    """Take back what was counted for an attempt that was good. Other failures of its address and name stay."""
    own = [what for what in whats if what.split()[0] in ("device", "both")]
    connection.execute(sa.delete(attempts).where(attempts.c.what.in_(own)))
    less = sa.update(attempts).where(attempts.c.what.in_(whats)).values(failures=attempts.c.failures - 1)
    connection.execute(less)


def clear(connection: Connection, name: str) -> None:
    """Forget all failures with a name: its user has chosen another password by a link."""
    by_name = _hidden(name)
    mine = (attempts.c.what == f"name {by_name}") | attempts.c.what.startswith(f"both {by_name} ")
    connection.execute(sa.delete(attempts).where(mine))


def is_known(connection: Connection, user_id: int, device: str) -> bool:
    """Return whether a user has signed in with a browser before."""
    mine = (devices.c.hash == digest_of(device)) & (devices.c.user_id == user_id)
    return connection.execute(sa.select(devices.c.user_id).where(mine)).first() is not None


def know(connection: Connection, user_id: int, *, now_us: int) -> str:
    """Return a token by which a browser is known as a user's from now on; the oldest give way."""
    token = new_token()
    connection.execute(sa.insert(devices).values(hash=digest_of(token), user_id=user_id, seen_us=now_us))
    mine = sa.select(devices.c.hash).where(devices.c.user_id == user_id).order_by(devices.c.seen_us.desc())
    connection.execute(
        sa.delete(devices).where(devices.c.user_id == user_id, devices.c.hash.not_in(mine.limit(MOST_DEVICES)))
    )
    return token


def _hidden(name: str) -> str:
    return hashlib.sha256(name.strip().lower().encode("utf-8", "replace")).hexdigest()
