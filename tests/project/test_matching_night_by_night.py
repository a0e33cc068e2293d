"""What matching makes of records night by night is what it makes of all of them at once.

The models from the versions of records to the links are the project's own, with its rules under
small caps; versions, companies and owners are given.
"""

from __future__ import annotations

import random
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import warehouse
from orchestration.pipeline.dbt_runner import _close_connections
from orchestration.settings import REPO_ROOT, Settings
from orchestration.unify.config_tables import write_identity_tables

pytestmark = pytest.mark.slow

START = datetime(2025, 1, 1, 2)
NIGHTS = 4
RECORD_MODELS = (
    *("int_identifier_forms", "int_record_versions", "int_record_identifiers"),
    *("int_records_delivered", "int_touched_records", "int_records", "int_record_names"),
    *("int_record_combinations", "int_vendor_merges", "int_record_match_values"),
    *("int_touched_values", "int_match_candidates", "int_match_values", "int_match_pairs"),
)
OWN_MODELS = (
    *RECORD_MODELS,
    *("int_record_states", "int_record_blocks", "int_touched_blocks", "int_match_blocks"),
    *("int_touched_comparisons", "int_pair_comparisons", "int_pair_weights"),
    *("int_identity_decisions", "int_record_limits", "int_limited_values"),
    *("int_touched_links", "int_match_links", "int_link_pairs"),
)
VERSIONS = "int_crm_record_versions"
NO_VERSIONS = (
    *("int_email_record_versions", "int_app_record_versions"),
    *("int_support_record_versions", "int_survey_record_versions"),
)
GIVEN = {
    VERSIONS: "record_key text, source text, entity text, record_id text, user_id text, "
    "company_id text, email text, additional_emails text, phone text, mobile_phone text, "
    "merged_record_ids text, first_name text, last_name text, company_name text, job_title text, "
    "job_role text, industry text, country text, city text, postal_code text, street text, "
    "house_number text, language text, lifecycle_stage text, plan text, "
    "subscription_status text, load_number integer, is_staff_role boolean, is_archived boolean, "
    "birth_date date, registered_at timestamp, created_at timestamp, version_at timestamp, "
    "received_at timestamp, version_hash text",
    "int_own_identifier_versions": "record_key text, identifier_type text, written_value text, "
    "version_at timestamp, received_at timestamp, load_number integer",
    "stg_hubspot__companies": "company_id text, merged_company_ids text, name text, domain text, "
    "industry text, country text, employee_count bigint, load_number integer, row_hash text, "
    "is_archived boolean, created_at timestamp, updated_at timestamp, received_at timestamp",
    "stg_hubspot__owners": "email text, load_number integer, received_at timestamp",
}
# What a night looked at, and when a value was met first, are the night's own.
NOT_COMPARED = ("change_number", "generation", "came_load_number", "moved_load_number")
PROJECT = """\
name: journeyline
version: "1.0"
profile: nights
model-paths: [models]
macro-paths: [macros]
flags: {send_anonymous_usage_stats: false}
models:
  journeyline:
    +schema: unify
    +materialized: table
    config: {+schema: staging, +materialized: view}
    given: {+schema: staging, +materialized: view}
    pipeline: {+schema: staging, +materialized: view}
"""
PROFILE = """\
nights:
  target: duckdb
  outputs:
    duckdb:
      type: duckdb
      path: "{path}"
      schema: main
      threads: 1
      plugins: [{{module: orchestration.unify.dbt_plugin}}]
"""


class Company:
    """What is known of some people who are hard to tell apart, and grows by the night."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.tables: dict[str, list[dict[str, Any]]] = {name: [] for name in GIVEN}
        self.keys: list[str] = []
        self.decisions: list[list[Any]] = []
        self.load_number = 0

    def pass_night(self, number: int) -> None:
        """What arrives in one night."""
        chance = self.chance
        self.load_number += 1
        for _ in range(14 if number == 0 else 6):
            self.keys.append(f"crm/contacts/{len(self.keys)}")
            self._write(self.keys[-1], number)
        for key in chance.sample(self.keys, 4):
            self._write(key, number)
        # the same version is told again, as having been there earlier
        told_again = chance.choice(self.tables[VERSIONS])
        told_again["load_number"] = self.load_number
        told_again["received_at"] -= timedelta(hours=chance.randrange(30))
        self._company(number)
        if number in (1, 3):
            self._owner(number)
        if self.decisions and chance.random() < 0.5:
            self.decisions.pop()
        for decision in ("must_link", "cannot_link"):
            left, right = sorted(chance.sample(self.keys, 2))
            name = f"{decision} {number}"
            self.decisions.append([name, decision, left, right, "eve", "why", _night(number)])

    def _write(self, key: str, number: int) -> None:
        chance = self.chance
        # some of it was delivered late: to a night that is over
        received_at = _night(number if chance.random() < 0.8 else max(0, number - 2))
        maybe = lambda *values: chance.choice([None, *values])  # noqa: E731
        self.tables[VERSIONS].append(
            {
                **dict.fromkeys(name.split()[0] for name in GIVEN[VERSIONS].split(", ")),
                "record_key": key,
                "source": "crm",
                "entity": "contacts",
                "record_id": key.split("/")[-1],
                "user_id": maybe(*(f"u{user}" for user in range(6))),
                "company_id": maybe("c1", "c2"),
                "email": chance.choice(
                    ["ann@alder.example", "Ann.Berg@birch.example", "info@alder.example"]
                    + [f"p{person}@mail.example" for person in range(12)]
                ),
                "additional_emails": maybe("b@birch.example;p1@mail.example"),
                "phone": maybe("+4930123456", "+4930123457", "+10000000000"),
                "merged_record_ids": maybe(f"{chance.randrange(9)}; {chance.randrange(9)}"),
                "first_name": chance.choice(["Ann", "Anna", "Bob", "Robert", "Cleo", None]),
                "last_name": chance.choice(["Berg", "Bergg", "Lee", None]),
                "postal_code": maybe("1010", "1011"),
                "street": maybe("Main Street 5", "Side Street 7"),
                "load_number": self.load_number,
                "is_staff_role": chance.random() < 0.03,
                "is_archived": chance.random() < 0.1,
                "birth_date": maybe(date(1980, 1, 1), date(1980, 1, 2)),
                "version_at": START + timedelta(hours=chance.randrange(200)),
                "received_at": received_at,
                "version_hash": f"{chance.random()}",
            }
        )
        if chance.random() < 0.3:
            self.tables["int_own_identifier_versions"].append(
                {
                    "record_key": key,
                    "identifier_type": "user_id",
                    "written_value": f"u{chance.randrange(6)}",
                    "version_at": START,
                    "received_at": received_at,
                    "load_number": self.load_number,
                }
            )

    def _owner(self, number: int) -> None:
        """An employee's address; the second night tells the same one, as of an earlier night."""
        owners = self.tables["stg_hubspot__owners"]
        known = [owner["email"] for owner in owners]
        owners.append(
            {
                "email": [*known, self.chance.choice(self.tables[VERSIONS])["email"]][0],
                "load_number": self.load_number,
                "received_at": _night(0 if known else number),
            }
        )

    def _company(self, number: int) -> None:
        domain = self.chance.choice(["alder.example", "www.birch.example", "cedar.example"])
        self.tables["stg_hubspot__companies"].append(
            {
                "company_id": self.chance.choice(["c1", "c2"]),
                "name": f"{domain} Ltd.",
                "domain": domain,
                "load_number": self.load_number,
                "received_at": _night(self.chance.randrange(number + 1)),
            }
        )


def _night(number: int) -> datetime:
    return START + timedelta(days=number)


class Home:
    """A warehouse that holds what is given, and what the models make of it."""

    def __init__(self, project: Path, name: str) -> None:
        self.settings = Settings(
            home=project.parent / name, ledger_key="l" * 40, pseudonym_key="p" * 40
        )
        self.settings.home.mkdir()
        self.project = project

    def build(self, company: Company, *extra: str) -> None:
        """Give the tables as they stand, and build the models."""
        with warehouse.connect(self.settings.warehouse) as connection:
            for schema in ("given", "pipeline"):
                connection.execute(f"create schema if not exists {schema}")
            connection.execute(
                "create table if not exists pipeline.phase_marks "
                "(phase varchar, load_number integer)"
            )
            for table, columns in GIVEN.items():
                connection.execute(f"create or replace table given.{table} ({columns})")
                for row in company.tables[table]:
                    marks = ", ".join("?" * len(row))
                    connection.execute(
                        f"insert into given.{table} ({', '.join(row)}) values ({marks})",
                        list(row.values()),
                    )
        write_identity_tables(self.settings)
        with warehouse.connect(self.settings.warehouse) as connection:
            connection.execute("update config.identity_rules set fan_out_cap = 4")
            connection.execute("update config.identity_settings set block_cap = 5")
            connection.executemany(
                "insert into config.identity_decisions values (?, ?, ?, ?, ?, ?, ?)",
                company.decisions,
            )
        _run_dbt(self.project, self.settings.warehouse, *extra)

    def mark(self, load_number: int) -> None:
        """All that was loaded is matched."""
        with warehouse.connect(self.settings.warehouse) as connection:
            connection.execute("delete from pipeline.phase_marks")
            connection.execute(
                "insert into pipeline.phase_marks values ('matched', ?)", [load_number]
            )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse."""
        with warehouse.connect(self.settings.warehouse, read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the models hold, of each in one order."""
        found = {}
        with warehouse.connect(self.settings.warehouse, read_only=True) as connection:
            for model in OWN_MODELS:
                if model.startswith("int_touched_"):
                    continue
                found[model] = connection.execute(_content(connection, model)).fetchall()
        return found


def _content(connection: duckdb.DuckDBPyConnection, model: str) -> str:
    names = [
        str(name)
        for (name,) in connection.execute(
            "select column_name from information_schema.columns "
            "where table_schema = 'unify' and table_name = ? order by ordinal_position",
            [model],
        ).fetchall()
    ]
    left_out = {*NOT_COMPARED, *(["load_number"] if model == "int_identifier_forms" else [])}
    kept = ", ".join(name for name in names if name not in left_out)
    condition = "where not is_gone" if "is_gone" in names else ""
    return f"select {kept} from unify.{model} {condition} order by all"


def _run_dbt(project: Path, path: Path, *extra: str) -> None:
    from dbt.cli.main import dbtRunner

    (project / "profiles.yml").write_text(PROFILE.format(path=path), "utf-8")
    given = ["--project-dir", str(project), "--profiles-dir", str(project)]
    given += ["--target-path", str(project / "target"), "--log-path", str(project / "logs")]
    try:
        outcome = dbtRunner().invoke(["--log-level", "none", "run", *given, *extra])
    finally:
        _close_connections()
    failed = [each.message for each in outcome.result or [] if each.status != "success"]
    assert outcome.success, outcome.exception or failed


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's macros and its models from the versions of records to the links."""
    monkeypatch.setenv("JOURNEYLINE_HOME", str(tmp_path))
    monkeypatch.setenv("JOURNEYLINE_PSEUDONYM_KEY", "p" * 40)
    folder, source = tmp_path / "project", REPO_ROOT / "dbt_project"
    shutil.copytree(source / "macros", folder / "macros")
    models = folder / "models"
    for part in ("given", "config", "pipeline"):
        (models / part).mkdir(parents=True)
    for name in OWN_MODELS:
        (path,) = (source / "models" / "unify").rglob(f"{name}.sql")
        shutil.copy(path, models)
    for path in (source / "models" / "staging" / "config").glob("stg_config__identity_*.sql"):
        shutil.copy(path, models / "config")
    marks = source / "models" / "staging" / "pipeline" / "stg_pipeline__phase_marks.sql"
    shutil.copy(marks, models / "pipeline")
    shutil.copy(source / "models" / "sources" / "pipeline.yml", models)
    for name in GIVEN:
        (models / "given" / f"{name}.sql").write_text(f"select * from given.{name}\n")
    for name in NO_VERSIONS:
        (models / "given" / f"{name}.sql").write_text(f"select * from given.{VERSIONS} limit 0\n")
    (folder / "dbt_project.yml").write_text(PROJECT, "utf-8")
    return folder


@pytest.mark.parametrize("seed", [1, 2])
def test_night_by_night_is_as_whole(project: Path, seed: int) -> None:
    chance = random.Random(seed)
    company = Company(chance)
    nightly, whole = Home(project, "nightly"), Home(project, "whole")
    for number in range(NIGHTS):
        company.pass_night(number)
        if number == 2:
            # a run that died, and one that somebody asked for some of the models
            nightly.build(company, "--select", *RECORD_MODELS)
            company.pass_night(number)
            nightly.build(company, "--select", *chance.sample(OWN_MODELS, 6))
        nightly.build(company)
        whole.build(company, "--full-refresh")
        expected = whole.tables()
        for model, rows in nightly.tables().items():
            assert rows == expected[model], (number, model)
        nightly.mark(company.load_number)
    touched = nightly.query("select count(*) from unify.int_touched_records")[0][0]
    assert 0 < touched < len(company.keys)
    _check_that_all_happened(nightly)


def _check_that_all_happened(home: Home) -> None:
    rules = dict(home.query("select rule, count(*) from unify.int_match_links group by rule"))
    assert rules.keys() >= {"email", "user_id", "vendor_merge", "must_link", "probabilistic"}
    for table, condition in (
        ("int_match_values", "blocked_reason is not null"),
        ("int_match_values", "capped_at is not null"),
        ("int_match_blocks", "capped_at is not null"),
        ("int_match_pairs", "value_conflict_at is not null"),
        ("int_records_delivered", "staff_known_at is not null"),
        ("int_match_links", "dead_at is not null"),
        ("int_link_pairs", "is_gone"),
    ):
        assert home.query(f"select count(*) from unify.{table} where {condition}") > [(0,)], table
