"""What the release that is served proved, and what of a candidate is left to be asked.

A published file never changes, so what a check found in it holds for the same bytes, the same
contract and the same rule. Belongs here: narrowing a check to rows that can break it although all
rows of the release before kept it. Which files changed belongs to `orchestration.publish`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestration.gate.checks import Check

ALL_ROWS = "all rows"
CHANGED_ROWS = "changed rows"
TAKEN_OVER = "taken over"
NO_ROW = "false"
# Kinds whose rule is about one row alone: a row that kept it keeps it.
_OF_ONE_ROW = {"not_null", "in_set", "in_range", "personal_data", "small_cells", "kpi_bound"}


@dataclass(frozen=True)
class Change:
    """What of a table can differ from the release that is served.

    Args:
        rows: SQL that is true for the rows of files that are new; `false` where none is.
        gone: SQL that reads the rows of served files that are no more; None where none went.
        kept: SQL that reads the rows of files that are the same, where that costs less than to
            leave out the others; None where it does not.
    """

    rows: str
    gone: str | None
    kept: str | None = None


@dataclass(frozen=True)
class Evidence:
    """What the release that is served proved.

    Args:
        definitions: Definition of each check that passed there, by its name.
        changes: What changed since, per table whose contract is the same; all of another table did.
    """

    definitions: Mapping[str, str]
    changes: Mapping[str, Change]


def narrow(check: Check, evidence: Evidence | None) -> tuple[Check, str]:
    """A check over the rows that can break it, and which they are.

    Args:
        check: A check of the candidate.
        evidence: What is known; None asks everything of all rows.

    Returns:
        The check to ask, and `all rows`, `changed rows` or `taken over`: there is nothing to ask.
    """
    if evidence is None or check.is_relative or check.kind == "columns":
        return check, ALL_ROWS
    tables = {check.table, *(table for table, _ in check.needs)}
    if evidence.definitions.get(check.name) != check.definition or tables - set(evidence.changes):
        return check, ALL_ROWS
    changes = {table: evidence.changes[table] for table in tables}
    if all(change.rows == NO_ROW and change.gone is None for change in changes.values()):
        return check, TAKEN_OVER
    own = changes[check.table]
    if check.kind in _OF_ONE_ROW:
        return _of_rows(check, f"select * from main.{check.table} where {own.rows}", own.rows)
    if check.kind == "unique":
        return replace(check, failing_rows=_repeated(check, own)), CHANGED_ROWS
    if check.kind == "foreign_key" and len(tables) > 1:
        return _of_rows(check, _dangling(check, own, changes), None)
    return check, ALL_ROWS


def _of_rows(check: Check, rows: str, condition: str | None) -> tuple[Check, str]:
    """The check with its table narrowed: a name that is given in `with` goes before a table's."""
    sql = f"with {check.table} as ({rows}) {check.failing_rows}"
    return replace(check, failing_rows=sql, rows=condition), CHANGED_ROWS


def _repeated(check: Check, own: Change) -> str:
    """Keys that occur twice, one of them in a new file: the others were unique among themselves."""
    columns = [column for _, column in check.needs]
    listed = ", ".join(columns)
    same = " and ".join(f"kept.{name} is not distinct from changed.{name}" for name in columns)
    others = own.kept or f"main.{check.table} where ({own.rows}) is not true"
    return f"""
        with changed as (select {listed} from {check.table} where {own.rows})
        select {listed}, count(*) as rows_count
        from (
            select {listed} from changed
            union all
            select {listed} from (select {listed} from {others}) as kept semi join changed on {same}
        )
        group by all
        having count(*) > 1"""


def _dangling(check: Check, own: Change, changes: Mapping[str, Change]) -> str:
    """New rows, and old ones that point to what went from the table that they point to."""
    (_, column), (target, key) = check.needs
    rows = f"select * from main.{check.table} where {own.rows}"
    gone = changes[target].gone
    if gone is None:
        return rows
    return f"""
        {rows}
        union all
        select *
        from main.{check.table}
        where
            ({own.rows}) is not true
            and {column} in (
                select {key}
                from {gone}
                where {key} not in (select {key} from main.{target} where {key} is not null)
            )"""
