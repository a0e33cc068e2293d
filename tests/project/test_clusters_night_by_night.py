"""Clusters and ids of a stream of links, night by night, are those of taking everything anew.

The models from the links on are the project's own; links, limited values and records are given.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestration import warehouse
from orchestration.pipeline.dbt_runner import _close_connections
from orchestration.settings import REPO_ROOT, Settings
from orchestration.unify import touched_components
from orchestration.unify.ledger import update_ledger

pytestmark = pytest.mark.slow

START = datetime(2025, 1, 1, 2)
NIGHTS = 4
# links stay within a group: many small tangles are one company's night
GROUPS = [[f"s/e{group}/{number}" for number in range(7)] for group in range(6)]
RECORDS = [key for group in GROUPS for key in group]
OWN_MODELS = (
    *("int_link_pairs", "int_link_components", "int_contested_limits", "int_contested_worlds"),
    *("int_world_values", "int_link_verdicts", "int_match_edges"),
    *("int_cluster_pairs", "int_clusters"),
)
GIVEN = {
    "int_records": "record_key text",
    "int_records_delivered": "record_key text, first_received_at timestamp, "
    "staff_known_at timestamp",
    "int_match_links": "link_id text, left_record_key text, right_record_key text, rule text, "
    "evidence text, strength integer, known_at timestamp, dead_at timestamp",
    "int_limited_values": "record_key text, cluster_limit text, limited_value text, "
    "at_most integer, refuses text, known_at timestamp, dead_at timestamp",
    "int_identity_decisions": "decision_id text, author text",
    "stg_config__identity_settings": "certain_weight double",
}
PROJECT = """\
name: nights
version: "1.0"
profile: nights
model-paths: [models]
macro-paths: [macros]
flags: {send_anonymous_usage_stats: false}
models: {nights: {+schema: unify, +materialized: table, given: {+materialized: view}}}
"""
PROFILE = """\
nights:
  target: home
  outputs: {{home: {{type: duckdb, path: "{path}", schema: main, threads: 1}}}}
"""


def _night(number: int) -> datetime:
    return START + timedelta(days=number)


class Stream:
    """What is given each night: rows come, end, vanish (a correction of what was delivered)."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.arrived = {key: _night(chance.randrange(NIGHTS)) for key in RECORDS}
        self.links: dict[str, list[Any]] = {}
        self.limits: dict[str, list[Any]] = {}

    def pass_night(self, number: int) -> None:
        """What happens in one night."""
        at, chance = _night(number), self.chance
        here = sorted(key for key, arrived in self.arrived.items() if arrived <= at)
        for row in [*self.links.values(), *self.limits.values()]:
            if row[-1] is None and chance.random() < 0.15:
                row[-1] = at
        for rows in (self.links, self.limits):
            for name in [name for name in rows if chance.random() < 0.1]:
                del rows[name]
        for group in GROUPS:
            self._arrive(number, [key for key in here if key in group])

    def _arrive(self, number: int, here: list[str]) -> None:
        at, chance = _night(number), self.chance
        if len(here) < 2:
            return
        for _ in range(3):
            left, right = sorted(chance.sample(here, 2))
            rule = chance.choice(["email", "email", "probabilistic", "must_link"])
            name = f"l{number}_{len(self.links)}_{left}"
            self.links[name] = [left, right, rule, name, chance.randrange(5), at, None]
        left, right = sorted(chance.sample(here, 2))
        veto = f"cannot_link {number} {left} {right}"
        self.limits[f"{veto} one"] = [left, veto, "one", 1, "everything", at, None]
        self.limits[f"{veto} other"] = [right, veto, "other", 1, "everything", at, None]
        # what a record says is corrected: the value before ends when the next one is known
        key = chance.choice(here)
        for row in self.limits.values():
            if row[:2] == [key, "one_user"] and row[-1] is None:
                row[-1] = at
        said = f"u{chance.randrange(6)}"
        self.limits[f"{key} {number}"] = [key, "one_user", said, 1, "all", at, None]

    def rows(self, until: datetime) -> dict[str, list[list[Any]]]:
        """The given tables as they stand after a night."""
        here = sorted(key for key, arrived in self.arrived.items() if arrived <= until)
        return {
            "int_records": [[key] for key in here],
            "int_records_delivered": [[key, self.arrived[key], None] for key in here],
            "int_match_links": [[name, *row] for name, row in self.links.items()],
            # a value that ended in the night in which it came was never seen
            "int_limited_values": [row for row in self.limits.values() if row[-2] != row[-1]],
            "int_identity_decisions": [],
            # some guesses are as good as certain, others are not
            "stg_config__identity_settings": [[3]],
        }


class Home:
    """A warehouse of the models, and the ids of a ledger of its own."""

    def __init__(self, project: Path, name: str) -> None:
        self.settings = Settings(
            home=project.parent / name, ledger_key="l" * 40, pseudonym_key="p" * 40
        )
        self.settings.home.mkdir()
        self.project = project

    def build(self, rows: dict[str, list[list[Any]]], until: datetime, *extra: str) -> None:
        """One night: the given tables, the models, the ledger."""
        with warehouse.connect(self.settings.warehouse) as connection:
            for schema in ("given", "ingest", "pipeline"):
                connection.execute(f"create schema if not exists {schema}")
            for table, columns in GIVEN.items():
                connection.execute(f"create or replace table given.{table} ({columns})")
                if rows[table]:
                    places = ", ".join("?" * len(rows[table][0]))
                    connection.executemany(
                        f"insert into given.{table} values ({places})", rows[table]
                    )
            connection.execute("create table if not exists ingest.loads (load_number integer)")
            connection.execute("insert into ingest.loads select count(*) + 1 from ingest.loads")
            connection.execute(
                "create or replace table pipeline.clock as select ? as as_of", [until]
            )
        _run_dbt(self.project, self.settings.warehouse, *extra)
        update_ledger(self.settings)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse."""
        with warehouse.connect(self.settings.warehouse, read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def clusters(self) -> list[tuple[Any, ...]]:
        """Every record with its cluster."""
        return self.query("select record_key, cluster_key from unify.int_clusters order by all")

    def ids(self) -> list[tuple[Any, ...]]:
        """Every record with its customer."""
        return self.query(
            "select record_key, customer_id from identity.customer_records order by all"
        )

    def ledger(self) -> dict[str, str]:
        """Hashes of the ledger's files."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (self.settings.identity / "ledger").glob("*.parquet")
        }


def _run_dbt(project: Path, path: Path, *extra: str) -> None:
    from dbt.cli.main import dbtRunner

    (project / "profiles.yml").write_text(PROFILE.format(path=path), "utf-8")
    given = ["--project-dir", str(project), "--profiles-dir", str(project)]
    given += ["--profile", "nights", "--target", "home"]
    given += ["--target-path", str(project / "target"), "--log-path", str(project / "logs")]
    try:
        outcome = dbtRunner().invoke(["--log-level", "none", "run", *given, *extra])
    finally:
        _close_connections()
    assert outcome.success, outcome.exception or [each.message for each in outcome.result]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's macros and its models from the links on."""
    folder = tmp_path_factory.mktemp("nights") / "project"
    source = REPO_ROOT / "dbt_project"
    shutil.copytree(source / "macros", folder / "macros")
    (folder / "models" / "given").mkdir(parents=True)
    for name in OWN_MODELS:
        (path,) = (source / "models" / "unify").rglob(f"{name}.sql")
        shutil.copy(path, folder / "models")
    for name in GIVEN:
        (folder / "models" / "given" / f"{name}.sql").write_text(f"select * from given.{name}\n")
    (folder / "dbt_project.yml").write_text(PROJECT, "utf-8")
    return folder


def test_night_by_night_is_as_whole_and_arrival_does_not_matter(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # in graphs as small as these, every night would be found too large to look for
    monkeypatch.setattr(touched_components, "_SHARE_LOOKED_FOR", 0)

    # an integer, for a stream that is random in earnest: nothing of one can be left out
    @given(seed=st.integers(min_value=0))
    @hypothesis_settings(deadline=None, max_examples=2, derandomize=True, phases=[Phase.generate])
    def holds(seed: int) -> None:
        with tempfile.TemporaryDirectory(dir=project.parent) as folder:
            shutil.copytree(project, Path(folder) / "project")
            _check_stream(Path(folder) / "project", Stream(random.Random(seed)))

    holds()


def _check_stream(project: Path, stream: Stream) -> None:
    nightly, whole = Home(project, "nightly"), Home(project, "whole")
    for number in range(NIGHTS):
        stream.pass_night(number)
        rows = stream.rows(_night(number))
        nightly.build(rows, _night(number))
        whole.build(rows, _night(number), "--full-refresh")
        assert nightly.clusters() == whole.clusters()
        assert nightly.ids() == whole.ids()
        components_of = "select * from unify.int_link_components order by all"
        assert nightly.query(components_of) == whole.query(components_of)
    assert nightly.ledger() == whole.ledger()
    # the whole one counts from one again each night, the other one has counted
    newest = "select max(change_number) from unify.int_cluster_pairs"
    assert (nightly.query(newest), whole.query(newest)) == ([(NIGHTS,)], [(1,)])
    # the same links and limits, known in another order
    other = Home(project, "other")
    rows = stream.rows(_night(NIGHTS))
    for table in ("int_match_links", "int_limited_values"):
        for row in rows[table]:
            row[-2] = min(_night(stream.chance.randrange(NIGHTS)), row[-1] or _night(NIGHTS))
        rows[table] = [row for row in rows[table] if row[-2] != row[-1]]
    stream.chance.shuffle(rows["int_match_links"])
    other.build(rows, _night(NIGHTS))
    assert other.clusters() == nightly.clusters()
