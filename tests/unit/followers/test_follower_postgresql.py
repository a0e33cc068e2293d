"""PostgreSQL follows: one release at a time, through outages and long readers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import publishing
import pytest
from adbc_driver_postgresql import dbapi

from orchestration.followers.following import Following, follow_all, last_following
from orchestration.publish.publisher import publish
from orchestration.publish.releases import rollback
from orchestration.settings import Settings

VARIABLE = "FOLLOWER_URL"
FLIPS = 20


@pytest.fixture
def follower(
    home: Settings, server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[str]:
    """A follower with a schema of its own; gives the schema's name."""
    schema = "jl_" + str(abs(hash(request.node.name)) % 10**8)
    monkeypatch.setenv(VARIABLE, server)
    enter(home, schema)
    yield schema
    with closing(dbapi.connect(server)) as connection:
        execute(connection, f"drop schema {schema} cascade", f"drop schema {schema}_data cascade")


def enter(home: Settings, schema: str, **options: object) -> None:
    said = {"kind": "postgresql", "name": "bi", "url_from": VARIABLE, "schema": schema, **options}
    listed = ", ".join(f"{name}: {value}" for name, value in said.items())
    (home.config / "followers.yml").write_text(f"followers:\n  - {{{listed}}}\n")


def execute(connection: Any, *statements: str) -> None:
    for statement in statements:
        with closing(connection.cursor()) as cursor:
            cursor.execute(statement)
    connection.commit()


def rows(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def night(home: Settings, number: int) -> str:
    publishing.change(home, f"update journey.fct_touchpoints set handling_seconds = {number}")
    publishing.change(home, f"update unify.dim_customers set country = '{number}'")
    publish(home, f"run-{number}")
    return home.current.resolve().name


def test_every_published_table_is_there_with_its_rows_and_types(
    home: Settings, follower: str, server: str
) -> None:
    (following,) = follow_all(home)
    assert following == Following("bi", "postgresql", home.current.resolve().name, False)
    assert last_following(home) == [following]
    with closing(dbapi.connect(server)) as connection:
        assert rows(connection, f"select count(*) from {follower}.fct_touchpoints") == [(300,)]
        sums = "select sum(value_amount)::text, max(occurred_at)::text from "
        followed = rows(connection, f"{sums} {follower}.fct_touchpoints")
        assert rows(connection, f"select release_id from {follower}._release") == [
            (following.release_id,)
        ]
    path = str(home.current / "journeyline.duckdb")
    with closing(duckdb.connect(path, read_only=True)) as release:
        assert followed == release.execute(f"{sums} fct_touchpoints").fetchall()


def test_readers_see_products_only_and_their_own_views_and_grants_survive(
    home: Settings, follower: str, server: str
) -> None:
    follow_all(home)
    view = f"create view {follower}.mine as select country from {follower}.dim_customers"
    with closing(dbapi.connect(server)) as connection:
        execute(connection, view, f"grant select on {follower}.mine to bi_reader")
        for number in range(1, 4):
            night(home, number)
            (following,) = follow_all(home)
            assert not following.is_behind, following.error
            execute(connection, "set role bi_reader")
            seen = rows(connection, f"select distinct country from {follower}.mine")
            assert seen == [(str(number),)]
            connection.rollback()
            execute(connection, "set role bi_reader")
            with pytest.raises(dbapi.ProgrammingError, match="permission denied"):
                rows(connection, f"select * from {follower}_data.pointer")
            connection.rollback()
            with pytest.raises(dbapi.ProgrammingError, match="permission denied"):
                execute(connection, f"delete from {follower}.dim_customers")
            connection.rollback()
            execute(connection, "reset role")


@pytest.mark.slow
def test_a_rollback_is_followed(home: Settings, follower: str, server: str) -> None:
    first = home.current.resolve().name
    follow_all(home)
    night(home, 1)
    follow_all(home)
    rollback(home, by="ada", reason="test")
    (following,) = follow_all(home)
    assert following.release_id == first


def test_an_outage_leaves_the_release_out_and_is_caught_up(
    home: Settings, follower: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow_all(home)
    before = home.current.resolve().name
    monkeypatch.setenv(VARIABLE, "postgresql://owner:wrong-s3cret@127.0.0.1:9/postgres")
    after = night(home, 1)
    (following,) = follow_all(home)
    assert (following.release_id, following.is_behind) == (before, True)
    assert following.error is not None
    assert "wrong-s3cret" not in following.error
    assert home.current.resolve().name == after
    monkeypatch.setenv(VARIABLE, server)
    (following,) = follow_all(home)
    assert (following.release_id, following.is_behind) == (after, False)


@pytest.mark.slow
def test_a_long_reader_keeps_its_release_and_holds_nobody_up(
    home: Settings, follower: str, server: str
) -> None:
    first = home.current.resolve().name
    follow_all(home)
    with closing(dbapi.connect(server)) as reader:
        level = "set session characteristics as transaction isolation level repeatable read"
        execute(reader, level)
        assert rows(reader, f"select release_id from {follower}._release") == [(first,)]
        for number in range(1, 4):
            night(home, number)
            (following,) = follow_all(home)
            assert not following.is_behind, following.error
        assert rows(reader, f"select release_id from {follower}._release") == [(first,)]
        assert rows(reader, f"select distinct country from {follower}.dim_customers") == [("DE",)]
        assert rows(reader, f"select count(*) from {follower}.fct_touchpoints") == [(300,)]
        reader.rollback()
        assert rows(reader, f"select distinct country from {follower}.dim_customers") == [("3",)]


@pytest.mark.slow
def test_slots_of_releases_that_are_gone_are_emptied(
    home: Settings, follower: str, server: str
) -> None:
    from orchestration.followers.entries import load_followers
    from orchestration.followers.postgresql import serve_release

    follow_all(home)
    second = night(home, 1)
    follow_all(home)
    (entry,) = load_followers(home)
    serve_release(entry, home.current.resolve(), frozenset({second}))  # type: ignore[arg-type]
    with closing(dbapi.connect(server)) as connection:
        held = rows(connection, f"select distinct slot from {follower}_data.dim_customers")
        assert len(held) == 1
        assert rows(connection, f"select count(*) from {follower}.dim_customers") == [(20,)]


def ask_until(
    stop: threading.Event, server: str, schema: str, isolation: str, counts: dict[str, int]
) -> None:
    with closing(dbapi.connect(server)) as connection:
        execute(
            connection, f"set session characteristics as transaction isolation level {isolation}"
        )
        while not stop.is_set():
            seen = {
                row
                for sql in (
                    f"select distinct country from {schema}.dim_customers",
                    f"select distinct handling_seconds::text from {schema}.fct_touchpoints",
                    f"select pg_sleep(0.002)::text || '{{}}' from {schema}.dim_customers limit 0",
                    f"select distinct country from {schema}.dim_customers",
                )
                for row in rows(connection, sql)
            }
            connection.rollback()
            counts["sessions"] += 1
            counts["torn"] += len(seen) != 1


@pytest.mark.slow
def test_no_session_of_repeatable_read_sees_two_releases(
    home: Settings, follower: str, server: str, tmp_path: Path
) -> None:
    night(home, 0)
    follow_all(home)
    stop = threading.Event()
    levels = ("repeatable read", "repeatable read", "read committed")
    counted = [{"sessions": 0, "torn": 0} for _ in levels]
    readers = [
        threading.Thread(target=ask_until, args=(stop, server, follower, level, counts))
        for level, counts in zip(levels, counted, strict=True)
    ]
    for reader in readers:
        reader.start()
    releases = [home.current.resolve()]
    for number in range(1, 3):
        night(home, number)
        releases.append(home.current.resolve())
    from orchestration.followers.entries import load_followers
    from orchestration.followers.postgresql import serve_release

    (entry,) = load_followers(home)
    kept = frozenset(folder.name for folder in releases)
    try:
        flipped = 0
        for number in range(FLIPS):
            folder = releases[number % len(releases)]
            flipped += serve_release(entry, folder, kept) == folder.name  # type: ignore[arg-type]
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert flipped == FLIPS
    assert all(counts["sessions"] > FLIPS for counts in counted), counted
    assert [counts["torn"] for counts in counted[:2]] == [0, 0], counted
    # The control: several queries without a transaction's snapshot do see a flip between them.
    assert counted[2]["torn"] > 0, counted
