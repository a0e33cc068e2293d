"""The audit of a candidate: every check, run by Great Expectations on the staged file, read-only.

Belongs here: running the checks and saying what they found. It runs inside the publisher; Dagster's
asset checks only mirror it. What is checked belongs to `checks`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.gate.checks import ERROR, AuditContext, Check, derive_checks
from orchestration.gate.contracts import ProductContract
from orchestration.gate.evidence import ALL_ROWS, TAKEN_OVER, Evidence, narrow

PASSED = "passed"
FAILED = "failed"
WARNED = "warned"
OVERRIDDEN = "overridden"
SAMPLE_ROWS = 5
_MAILBOX = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_PHONE = re.compile(r"\+\d[\d ()./-]{6,}\d")


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Args:
        name: Name of the check.
        table: Table it is about.
        column: Column it is about, if one.
        kind: Kind of the check.
        severity: `error` or `warning`.
        owner: Who is asked first.
        description: What must hold.
        verdict: `passed`, `failed`, `warned`, or `overridden`: failed, but a person published
            despite it.
        failing_count: Rows that break the rule.
        samples: Up to five of those rows, masked.
        detail: Why the check could not be asked, if it could not.
        is_relative: Compares with `current`, so its verdict is not part of the content.
        first_aid: The section of the runbook for it.
        scope: Rows it was asked of: `all rows`, `changed rows` since the release before, or none:
            `taken over` from it.
        definition: Hash of the rule.
    """

    name: str
    table: str
    column: str | None
    kind: str
    severity: str
    owner: str
    description: str
    verdict: str
    failing_count: int = 0
    samples: tuple[dict[str, str | None], ...] = ()
    detail: str | None = None
    is_relative: bool = False
    first_aid: str = ""
    scope: str = ALL_ROWS
    definition: str = ""


def audit(
    duckdb_file: Path,
    contracts: Sequence[ProductContract],
    context: AuditContext,
    evidence: Evidence | None = None,
) -> list[CheckResult]:
    """Run every check on the file, opened read-only.

    Args:
        duckdb_file: The candidate's DuckDB file, closed by its writer.
        contracts: The product contracts it must keep.
        context: Row counts of `current` and the KPI bounds.
        evidence: What the release that is served proved; None asks everything of all rows.

    Returns:
        One result per check, in the order of `derive_checks`.
    """
    checks = derive_checks(contracts, context)
    present = _present_columns(duckdb_file)
    askable = {c.name: c for c in checks if all(need in present for need in c.needs)}
    askable = {name: c for name, c in askable.items() if _has_table(c, present)}
    narrowed = {name: narrow(check, evidence) for name, check in askable.items()}
    asked = [check for check, scope in narrowed.values() if scope != TAKEN_OVER]
    verdicts = dict.fromkeys(askable, (True, None)) | _run(duckdb_file, asked)
    connection = warehouse.connect(duckdb_file, read_only=True)
    try:
        return [
            _result(connection, check, narrowed.get(check.name), verdicts.get(check.name))
            for check in checks
        ]
    finally:
        connection.close()


def _present_columns(duckdb_file: Path) -> set[tuple[str, str]]:
    connection = warehouse.connect(duckdb_file, read_only=True)
    try:
        rows = connection.execute(
            "select table_name, column_name from duckdb_columns() where not internal"
        ).fetchall()
    finally:
        connection.close()
    return {(str(table), str(column)) for table, column in rows}


def _has_table(check: Check, present: set[tuple[str, str]]) -> bool:
    return any(table == check.table for table, _ in present)


def _run(duckdb_file: Path, checks: Sequence[Check]) -> dict[str, tuple[bool, str | None]]:
    """Whether each check passed, and what stopped it if it could not be run."""
    from orchestration.gate import gx_engine

    with gx_engine.opened(duckdb_file) as source:
        return {
            result.expectation_config.meta["check"]: (
                bool(result.success),
                _exception(result.exception_info),
            )
            for result in gx_engine.validate(source, checks)
        }


def _exception(info: Any) -> str | None:
    """Great Expectations nests the exception of a metric under the metric's id."""
    if not info or info.get("raised_exception") is False:
        return None
    if "exception_message" in info:
        return str(info["exception_message"])
    return "; ".join(str(nested.get("exception_message")) for nested in info.values())


def _result(
    connection: duckdb.DuckDBPyConnection,
    check: Check,
    narrowed: tuple[Check, str] | None,
    outcome: tuple[bool, str | None] | None,
) -> CheckResult:
    asked, scope = narrowed or (check, ALL_ROWS)
    passed, detail = outcome or (False, "a table or column that it needs is missing")
    count = 0
    samples: tuple[dict[str, str | None], ...] = ()
    if not passed and detail is None:
        count, samples = _failing(connection, asked)
    failure = FAILED if check.severity == ERROR else WARNED
    return CheckResult(
        name=check.name,
        table=check.table,
        column=check.column.name if check.column else None,
        kind=check.kind,
        severity=check.severity,
        owner=check.owner,
        description=check.description,
        verdict=PASSED if passed else failure,
        failing_count=count,
        samples=samples,
        detail=detail,
        is_relative=check.is_relative,
        first_aid=check.first_aid,
        scope=scope,
        definition=check.definition,
    )


def _failing(
    connection: duckdb.DuckDBPyConnection, check: Check
) -> tuple[int, tuple[dict[str, str | None], ...]]:
    counted = connection.execute(f"select count(*) from ({check.failing_rows})").fetchone()
    rows = connection.execute(
        f"select * from ({check.failing_rows}) order by all limit {SAMPLE_ROWS}"
    )
    names = [column[0] for column in rows.description]
    samples = tuple(
        {name: _masked(value) for name, value in zip(names, row, strict=True)}
        for row in rows.fetchall()
    )
    return int(counted[0]) if counted else 0, samples


def _masked(value: object) -> str | None:
    if value is None:
        return None
    return _PHONE.sub("<phone>", _MAILBOX.sub("<e-mail>", str(value)))[:80]
