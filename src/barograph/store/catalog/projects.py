"""Organisations and their projects: what keys, models and results belong to. None sees anything of another."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from barograph.errors import ConflictError, NotFoundError, SpecError
from barograph.store.catalog.schema import organisations, projects

MOST_LETTERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One project of an organisation."""

    id: int
    organisation_id: int
    organisation: str
    name: str
    created_us: int

    @property
    def path(self) -> str:
        """Return the name by which it is known in the whole installation."""
        return f"{self.organisation}/{self.name}"


def list_projects(connection: Connection, *, organisations_only: Collection[int] | None = None) -> list[Project]:
    """Return all projects by id, or those of some organisations."""
    statement = _projects()
    if organisations_only is not None:
        statement = statement.where(projects.c.organisation_id.in_(organisations_only))
    return [Project(**row._mapping) for row in connection.execute(statement.order_by(projects.c.id))]


def get_project(connection: Connection, project_id: int) -> Project | None:
    """Return a project by its id; None if there is none."""
    row = connection.execute(_projects().where(projects.c.id == project_id)).first()
    return None if row is None else Project(**row._mapping)


def find_project(connection: Connection, name: str, *, organisation_id: int = 1) -> Project | None:
    """Return a project by its name in an organisation, or by `organisation/name` in any; None if there is none."""
    organisation, slash, rest = name.partition("/")
    where = organisations.c.name == organisation if slash else projects.c.organisation_id == organisation_id
    row = connection.execute(_projects().where(where, projects.c.name == (rest if slash else name))).first()
    return None if row is None else Project(**row._mapping)


def project_named(connection: Connection, name: str) -> Project:
    """Return a project of the first organisation, or one by `organisation/name`; raise SpecError with what there is."""
    found = find_project(connection, name)
    if found is None:
        known = [one.name if one.organisation_id == 1 else one.path for one in list_projects(connection)]
        raise SpecError(f"There is no project {name!r}. There are: {', '.join(map(repr, known))}.")
    return found


def add_project(connection: Connection, name: str, *, organisation_id: int = 1, now_us: int) -> Project:
    """Add a project and return it.

    Raises SpecError for a name that cannot be one, ConflictError if the organisation has one of this name.
    """
    values = {"name": check_name(name), "organisation_id": organisation_id, "created_us": now_us}
    try:
        id = connection.execute(sa.insert(projects).values(values).returning(projects.c.id)).scalar_one()
    except ConflictError:
        raise _taken(name) from None
    found = get_project(connection, id)
    assert found is not None
    return found


def rename_project(connection: Connection, project_id: int, name: str) -> Project:
    """Give a project another name, and return it. Raises as `add_project`, and NotFoundError if there is none."""
    change = sa.update(projects).where(projects.c.id == project_id).values(name=check_name(name))
    try:
        connection.execute(change)
    except ConflictError:
        raise _taken(name) from None
    found = get_project(connection, project_id)
    if found is None:
        raise NotFoundError(f"There is no project {project_id}.")
    return found


def find_organisation(connection: Connection, name: str) -> int | None:
    """Return the id of an organisation; None if there is none of this name."""
    return connection.execute(sa.select(organisations.c.id).where(organisations.c.name == name)).scalar()


def add_organisation(connection: Connection, name: str) -> int:
    """Add an organisation and return its id. Raises as `add_project`."""
    try:
        insert = sa.insert(organisations).values(name=check_name(name)).returning(organisations.c.id)
        return int(connection.execute(insert).scalar_one())
    except ConflictError:
        raise ConflictError(f"There is an organisation named {name!r} already. Choose another name.") from None


def check_name(name: str) -> str:
    """Return the name of a project or organisation; raise SpecError if it cannot be one.

    >>> check_name(" Fraud, EU ")
    'Fraud, EU'
    """
    given = name.strip()
    if not given or len(given) > MOST_LETTERS or "/" in given or not given.isprintable():
        raise SpecError(
            f"A name has 1 to {MOST_LETTERS} letters that can be seen, and no slash. Got {name[:MOST_LETTERS]!r}."
        )
    return given


def _projects() -> sa.Select[tuple[object, ...]]:
    columns = (projects.c.id, projects.c.organisation_id, projects.c.name, projects.c.created_us)
    named = organisations.c.name.label("organisation")
    return sa.select(*columns, named).join_from(projects, organisations)


def _taken(name: str) -> ConflictError:
    return ConflictError(f"There is a project named {name!r} already. Choose another name.")
