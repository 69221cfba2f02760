"""The door of sources: kinds, settings, names, and what an installation lets be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from barograph.errors import InputError, SpecError
from barograph.frames.urls import address_of, check_url, hiding, is_within, revealed
from barograph.sources import Source, check_sources, kinds, source, sources_of

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
    assert revealed("${P}", environment) == "hun/ter2"
    with pytest.raises(InputError) as caught, hiding("db://${P}@x", environment={"P": "s3cret" * 20}):
        raise ValueError(f"there is no user {('s3cret' * 20)[:63]!r}")  # as PostgreSQL cuts names
    assert "s3cret" not in str(caught.value)
    with pytest.raises(InputError) as caught, hiding("db://${P}@x", environment=environment):
        raise InputError("no hun/ter2")
    assert str(caught.value) == "no ${P}"


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
        ("postgresql://db:5432/shop/x@evil/z", "postgresql://db", False),
        ("postgresql://db#@evil/z", "postgresql://db", False),
        ("postgresql://db\\@evil/z", "postgresql://db", False),
        ("s3://bucket/tenant1?*", "s3://bucket/tenant1", False),
        ("s3://bucket/tenant1*", "s3://bucket/tenant1", False),
        ("s3://bucket/tenant1#x", "s3://bucket/tenant1", False),
        ("s3://bucket/*/x", "s3://bucket/tenant1", False),
        ("s3://bucket*/tenant1/x", "s3://bucket/tenant1", False),
        ("s3a://bucket/tenant1/day=?/*", "s3://bucket/tenant1/", True),
        ("kafka://broker:9093", "kafka://broker:9092", False),
    ],
)
def test_only_what_the_installation_allows_is_read(place: str, allowed: str, within: bool) -> None:
    assert is_within(place, allowed) is within


def test_a_link_out_of_a_folder_is_not_within_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "out").symlink_to(tmp_path)
    assert not is_within(str(tmp_path / "in" / "out" / "secret"), str(tmp_path / "in"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db:5432/shop/${BAROGRAPH_SOURCE_P}@evil/z",
        "postgresql://db/shop@evil/z",
        "postgresql://db,evil/shop",
        "postgresql://db/host=evil",
        "postgresql://db/host%3Devil%20port%3D1",
        "postgresql://db/postgresql:%2F%2Fevil%2Fx",
        "postgresql:///shop",
        "postgresql://db/shop?host=evil",
        "postgresql://db/shop?host=/run/db",
        "postgresql:///shop?host=evil",
        "postgresql:///shop?host=/run/db,evil",
        "postgresql:///shop?host=/run/db&host=/run/other",
        "postgresql://db/shop?port=22&dbname=other",
        "postgresql://db/shop?sslmode=require&sslmode=disable",
        *(
            f"postgresql://db/shop?{key}=/etc/passwd"
            for key in (
                "conninfo",
                "hostaddr",
                "service",
                "servicefile",
                "passfile",
                "sslkey",
                "sslcert",
                "sslrootcert",
            )
        ),
        "postgresql://db/shop?options=-c%20a.b=${BAROGRAPH_SOURCE_P}",
        "postgresql://${BAROGRAPH_SOURCE_P}.evil/shop",
        "postgresql://a${BAROGRAPH_SOURCE_P}@db/shop",
        "postgresql+asyncpg://db/shop",
        "mysql://db/shop?unix_socket=/run/other",
        "mysql://db/shop?read_default_file=/etc/my.cnf",
        "sqlite://db/data/a.db",
        "sqlite:////data/a.db?uri=true",
        "duckdb:////data/a.db?motherduck_token=${BAROGRAPH_SOURCE_P}",
    ],
)
def test_an_address_says_where_a_database_is_and_nothing_else(url: str) -> None:
    (problem,) = problems({"sql": {**SQL, "url": url}}, "postgresql://db", "/data", "/run/db", "mysql://db")
    assert problem.startswith("$.sources.sql")


def test_what_is_checked_is_what_is_connected_to() -> None:
    from barograph.frames.read_sql import database_of

    url = "postgresql://me:${BAROGRAPH_SOURCE_P}@DB:5432/shop?sslmode=require&table=t"
    database = database_of(url)
    assert database.places() == ["postgresql://db:5432/shop"]
    made = database.connection({"BAROGRAPH_SOURCE_P": "a@evil/x?host=evil"})
    assert (made.host, made.port, made.database, made.password) == ("db", 5432, "shop", "a@evil/x?host=evil")
    assert dict(made.query) == {
        "sslmode": "require",
        "connect_timeout": "10",
        "options": "-c default_transaction_read_only=on",
    }
    assert database_of("sqlite:///~/a.db?table=t").places() == [str(Path("~/a.db").expanduser())]
    assert check_sources({"sql": {**SQL, "url": "postgresql:///x?host=/run/db"}}, ["/run/db"]) is None
    with pytest.raises(ValueError, match="This is no address of the form"):
        address_of("postgresql://db/shop@evil/z")


def test_another_dialect_is_read_where_the_installation_names_it() -> None:
    other = {"sql": {**SQL, "url": "mysql+pymysql://me@db/shop"}}
    assert check_sources(other, ["mysql://db"]) is None
    assert len(problems(other, "postgresql://db")) == 1


def test_only_variables_of_sources_are_put_in() -> None:
    kafka = {"brokers": "db:1", "topic": "t"}
    for said in (
        {"sql": {**SQL, "url": "postgresql://me:${BAROGRAPH_DATABASE_URL}@db/x"}},
        {"kafka": {**kafka, "options": {"sasl.password": "${AWS_SECRET_ACCESS_KEY}"}}},
    ):
        (problem,) = problems(said, "postgresql://db", "kafka://db:1")
        assert "their names begin with BAROGRAPH_SOURCE_" in problem
        assert check_sources(said) is None  # on one's own machine
    for key in ("client.id", "sasl.mechanism", "ssl.ca.location"):
        (problem,) = problems({"kafka": {**kafka, "options": {key: "${BAROGRAPH_SOURCE_P}"}}}, "kafka://db:1")
        assert "is no credential" in problem
    held = {"kafka": {**kafka, "options": {"sasl.username": "${BAROGRAPH_SOURCE_U}"}}}
    assert check_sources(held, ["kafka://db:1"]) is None


def test_what_is_not_allowed_is_told_without_what_is() -> None:
    (problem,) = problems({"sql": SQL}, "/elsewhere", "postgresql://inner.example")
    assert "BAROGRAPH_SOURCES" in problem
    assert "elsewhere" not in problem
    assert "inner.example" not in problem


def test_files_of_certificates_are_places_too() -> None:
    options = {"ssl.ca.location": "/etc/shadow"}
    said = {"kafka": {"brokers": "db:1", "topic": "t", "options": options}}
    assert "'/etc/shadow'" in problems(said, "kafka://db:1")[0]
    assert check_sources(said, ["kafka://db:1", "/etc/shadow"]) is None


@pytest.mark.parametrize(
    "asked",
    [
        "uri=http://db/x&oauth2-server-uri=http://evil&credential=${BAROGRAPH_SOURCE_P}",
        "uri=http://db/x&py-catalog-impl=os.system",
        "uri=http://db/x&py-io-impl=os.system",
        "uri=http://db/x&rest.authorization-url=http://evil",
        "uri=http://db/x&type=sql",
        "uri=http://db/x&uri=http://evil",
        "uri=http://db:pw@evil/x",
        "uri=http://db/x?a=b",
        "uri=sqlite:////data/x.db&type=rest",
        "uri=sqlite:////data/x.db",
        "uri=sqlite:////data/x.db&warehouse=prod",
        "uri=sqlite:////etc/x.db&warehouse=/data",
        "uri=sqlite:////data/x.db&warehouse=/etc",
        "uri=postgresql://db/x?hostaddr=10.0.0.1&warehouse=/data",
        "uri=duckdb:////data/x.db&warehouse=/data",
        "uri=thrift://db/x&type=hive",
        "uri=/data/x.db&warehouse=/data",
        "uri=http://db/x&credential=%24%7BTOPSECRET%7D",
        "uri=http://db/x&credential=%24{TOPSECRET}",
        "uri=http://db/x&credential=${TOPSECRET}",
        "uri=http://db/x#&credential=clear",
        "uri=postgresql://me:%24%7BTOPSECRET%7D@db/x&warehouse=/data",
        "type=in-memory",
        "type=glue",
        "warehouse=/data",
        "uri=http://evil/x&warehouse=/data",
        "",
    ],
)
def test_of_an_iceberg_catalog_only_its_place_is_said(asked: str) -> None:
    url = f"iceberg://shop/loans.events?{asked}"
    (problem,) = problems({"files": {"path": url}}, "/data", "http://db", "postgresql://db")
    assert problem.startswith("$.sources.files")


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
