"""A built demo company as the tests of this folder read and copy it."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.pipeline.night import RunReport
from orchestration.settings import Settings

CUSTOMERS = 400
NIGHTS = 4
STATE = ("landing", "truth", "keys")
DERIVED = ("warehouse.duckdb", "dbt", "identity", "releases")


@dataclass(frozen=True)
class Built:
    """The built company: its home, and what building it reported."""

    settings: Settings
    report: RunReport

    def truth(self, table: str) -> str:
        """SQL that reads a truth table."""
        return f"read_parquet('{self.settings.truth / table}.parquet')"


def copy_home(settings: Settings, target: Path, parts: tuple[str, ...]) -> Settings:
    """Copy parts of a home, with its format and the pointer to its release."""
    target.mkdir(parents=True)
    for name in (*parts, "format.json"):
        source = settings.home / name
        if source.is_dir():
            shutil.copytree(source, target / name, symlinks=True)
        elif source.exists():
            shutil.copy2(source, target / name)
    if "releases" in parts:
        (target / "current").symlink_to(Path("releases") / settings.current.resolve().name)
    return Settings(home=target, repo_root=settings.repo_root)


def parquet_hashes(settings: Settings) -> dict[str, str]:
    """SHA-256 of every published Parquet file of the current release."""
    folder = settings.current.resolve() / "parquet"
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


def ledger_hashes(settings: Settings) -> dict[str, str]:
    """SHA-256 of every file of the id ledger."""
    return {
        str(path.relative_to(settings.home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((settings.home / "identity").rglob("*"))
        if path.is_file()
    }


def current_release(settings: Settings) -> str | None:
    """The id of the release that readers see."""
    return settings.current.resolve().name if settings.current.exists() else None


def rightly_resolved(built: Built, release: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Customer of every person whose records are all of one customer's, and only those."""
    return dict(
        release.execute(
            f"""
            with pairs as (
                select records.person_id, bridges.customer_id
                from {built.truth("records")} as records
                left join bridge_customer_records as bridges using (source, entity, record_id)
            ),
            persons as (
                select person_id, any_value(customer_id) as customer_id
                from pairs
                group by person_id
                having count(distinct customer_id) = 1 and count(customer_id) = count(*)
            ),
            customers as (
                select customer_id from pairs group by all having count(distinct person_id) = 1
            )
            select persons.person_id, persons.customer_id
            from persons
            inner join customers using (customer_id)
            """
        ).fetchall()
    )
