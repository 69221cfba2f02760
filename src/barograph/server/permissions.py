"""Role → permission → route, the first half: what may be done, and who may do it. `route_table` has the second.

A key has one role in one project. A user has a role in each project that they are a member of; who owns an
organisation has that role in all of its projects, an operator of the installation in all there are.
"""

from __future__ import annotations

from collections.abc import Mapping

PERMISSIONS: Mapping[str, str] = {
    "events": "send events",
    "labels": "send labels",
    "tell": "tell of producers and probes",
    "read": "see models, results, incidents, and the rows behind them",
    "edit": "register and change models, handle incidents, tell of changes, retry what failed",
    "admin": "delete, purge and erase; keys, members and the audit of the project",
    "own": "make and rename projects of the organisation, and say who owns it",
    "operate": "make organisations, and see to all users",
}

# A line a permission; from left to right, each role may do what those before it may, but for `ingest`.
_ROLES = ("ingest", "viewer", "editor", "admin", "owner", "operator")
_TABLE = """
events    ingest          editor  admin  owner  operator
labels    ingest          editor  admin  owner  operator
tell      ingest          editor  admin  owner  operator
read              viewer  editor  admin  owner  operator
edit                      editor  admin  owner  operator
admin                             admin  owner  operator
own                                      owner  operator
operate                                         operator
"""
_LINES = {name: frozenset(roles) for name, *roles in (line.split() for line in _TABLE.strip().splitlines())}

ROLES: Mapping[str, frozenset[str]] = {
    role: frozenset(name for name, roles in _LINES.items() if role in roles) for role in _ROLES
}
MEMBERS = ("viewer", "editor", "admin")  # roles of users in a project
ACROSS = frozenset({"owner", "operator"})  # roles that reach beyond one project


def may_give(giver: frozenset[str], role: str) -> bool:
    """Return whether somebody with these permissions may give a role, to a key or a user: none above their own.

    >>> may_give(ROLES["admin"], "admin"), may_give(ROLES["admin"], "owner")
    (True, False)
    """
    return ROLES[role] <= giver
