"""The door of sources: kinds, settings, names, and what an installation lets be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from barograph.errors import InputError, SpecError
from barograph.frames.urls import check_url, hiding, revealed
from barograph.sources import Source, check_sources, is_within, kinds, source, sources_of

SQL = {"url": "sqlite:////data/a.db", "table": "events", "watermark": "at"}


def problems(said: object, *allowed: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        check_sources(said, allowed or None)  # type: ignore[arg-type]
    return list(caught.value.problems)


def test_several_of_a_kind_have_names_of_their_own() -> None:
    made = sources_of({"sql": [SQL, {**SQL, "name": "labels", "rows": "labels"}]})
    assert [(one.kind, one.called) for one in made] == [("sql", "sql"), ("sql", "labels")]
    assert problems({"sql": [SQL, SQL]}) == [
        "$.sources.sql[1].name: the source $.sources.sql[0] is called 'sql', too. Give each a name."
    ]


def test_everything_wrong_is_told_at_once_with_its_path() -> None:
    found = problems({"sql": [{**SQL, "waterMark": 1, "every": "0s"}, {**SQL, "url": 3}], "kafak": {}})
    paths = [problem.partition(":")[0] for problem in found]
    assert paths == ["$.sources.sql[0].every", "$.sources.sql[0].waterMark", "$.sources.sql[1].url", "$.sources.kafak"]
    assert "Did you mean 'watermark'?" in found[1]


def test_a_password_in_the_clear_is_refused_and_not_repeated() -> None:
    for url in (
        "postgresql://me:hunter2@db/x",
        "postgresql://db/x?password=hunter2",
        "mysql://db/x?auth_token=hunter2",
    ):
        (problem,) = problems({"sql": {**SQL, "url": url}})
        assert problem.startswith("$.sources.sql.url: This holds a password.")
        assert "hunter2" not in problem
    assert check_url("postgresql://me:${P}@db/x?password=${Q}")


def test_what_stands_in_for_a_variable_is_in_no_error() -> None:
    environment = {"P": "hun/ter2"}
    said = re.escape("'db://me:${P}@x' cannot be read: no ${P}, no ${P}")
    with pytest.raises(InputError, match=said) as caught, hiding("db://me:${P}@x", environment=environment):
        raise ValueError("no hun/ter2, no hun%2Fter2")
    assert "ter2" not in str(caught.value)
    assert revealed("db://me:${P}@x", environment) == "db://me:hun%2Fter2@x"


@pytest.mark.parametrize(
    ("place", "allowed", "within"),
    [
        ("/data/a.csv", "/data/", True),
        ("/data", "/data", True),
        ("/data/../etc/passwd", "/data", False),
        ("/database/a", "/data", False),
        ("a.csv", "/", True),
        ("postgresql+psycopg://me:${P}@db:5432/shop", "postgresql://db", True),
        ("postgresql://db:6432/shop", "postgresql://db:5432", False),
        ("postgresql://db/shop", "postgresql://db/other", False),
        ("postgresql://db.evil.example/shop", "postgresql://db", False),
        ("postgresql://db,evil/shop", "postgresql://db", False),
        ("mysql://db/shop", "postgresql://db", False),
        ("s3://bucket/../other/x", "s3://bucket", False),
        ("s3://bucket/exports/x", "s3://bucket/exports", True),
        ("s3://bucket/exports2/x", "s3://bucket/exports", False),
        ("/data/a", "s3://data/a", False),
    ],
)
def test_only_what_the_installation_allows_is_read(place: str, allowed: str, within: bool) -> None:
    assert is_within(place, allowed) is within


def test_a_link_out_of_a_folder_is_not_within_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "out").symlink_to(tmp_path)
    assert not is_within(str(tmp_path / "in" / "out" / "secret"), str(tmp_path / "in"))


def test_hosts_in_parameters_are_places_too() -> None:
    elsewhere = {**SQL, "url": "postgresql://db/shop?host=evil.example"}
    assert "not from 'postgresql://evil.example/shop'" in problems({"sql": elsewhere}, "postgresql://db")[0]
    assert "'hostaddr' is not taken" in problems({"sql": {**SQL, "url": "postgresql://db/x?hostaddr=10.0.0.1"}})[0]
    assert check_sources({"sql": {**SQL, "url": "postgresql:///x?host=/run/db"}}, ["/run/db"]) is None
    assert "BAROGRAPH_SOURCES" in problems({"sql": SQL}, "/elsewhere")[0]


def test_a_kind_of_a_plug_in_is_one_like_others() -> None:
    try:

        @source("bird")
        class Bird(Source):
            """Carry rows by pigeon."""

            wings: int = 2

        kinds.cache_clear()
        assert kinds()["bird"] is Bird
        assert sources_of({"bird": {"wings": 3}}) == [Bird(wings=3)]
        assert problems({"bird": {"wigns": 3}}) == ["$.sources.bird.wigns: there is no such key. Did you mean 'wings'?"]
        with pytest.raises(ValidationError):
            Bird(wings=1).wings = 2  # type: ignore[misc]
    finally:
        from barograph import sources

        sources._REGISTERED.pop("bird", None)
        kinds.cache_clear()
