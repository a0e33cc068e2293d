"""A product contract changes only with its version.

Belongs here: comparing today's contracts with what the current release serves. A breaking change
(a column or table gone, another type, another key) takes a new major version, and the old one is
served beside it, as a product of its own named `<table>_v<old major>`, until its `servedUntil`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import duckdb

from orchestration.errors import EXIT_REFUSED, JourneylineError
from orchestration.gate.contracts import ProductContract

# Name, type and whether it is part of the key, per column of a table.
Served = Mapping[str, Mapping[str, tuple[str, bool]]]


def served_contracts(
    contracts: Sequence[ProductContract], as_of: datetime
) -> tuple[ProductContract, ...]:
    """The contracts that are published: an old version only until its `servedUntil`."""
    return tuple(c for c in contracts if c.served_until is None or as_of.date() <= c.served_until)


def read_served(connection: duckdb.DuckDBPyConnection) -> Served:
    """The columns that a release says it has."""
    rows = connection.execute(
        "select table_name, column_name, data_type, is_key from _columns "
        "where not starts_with(table_name, '_')"
    ).fetchall()
    served: dict[str, dict[str, tuple[str, bool]]] = {}
    for table, column, data_type, is_key in rows:
        served.setdefault(str(table), {})[str(column)] = (str(data_type), bool(is_key))
    return served


def refuse_breaking_changes(
    contracts: Sequence[ProductContract],
    expired: Sequence[ProductContract],
    served: Served,
    versions: Mapping[str, str],
) -> None:
    """Raise where a contract breaks what readers rely on without saying so.

    Args:
        contracts: The contracts of the candidate.
        expired: Contracts whose `servedUntil` has passed.
        served: What the current release has.
        versions: Version of each contract in the current release.

    Raises:
        JourneylineError: With exit code 3, naming every table and what it lost.
    """
    by_table = {contract.table: contract for contract in contracts}
    gone = set(served) - set(by_table) - {contract.table for contract in expired}
    problems = [f"{table} is no longer published" for table in sorted(gone)]
    for table, columns in sorted(served.items()):
        contract = by_table.get(table)
        if contract is None:
            continue
        breaks = _breaks(contract, columns)
        if not breaks:
            continue
        old, new = _major(versions[table]), _major(contract.version)
        if new <= old:
            problems.append(
                f"{table} {', '.join(breaks)}, but its version went from {versions[table]} "
                f"to {contract.version}"
            )
        elif f"{table}_v{old}" not in by_table:
            problems.append(f"{table} {', '.join(breaks)}, but {table}_v{old} is not beside it")
    if problems:
        raise JourneylineError(
            f"A product contract breaks what readers rely on: {'; '.join(problems)}.",
            "data_contracts/products",
            "Give the contract a new major version and keep the old shape as a product of its own "
            "(docs/runbook.md, A contract breaks what readers rely on).",
            EXIT_REFUSED,
        )


def _breaks(contract: ProductContract, served: Mapping[str, tuple[str, bool]]) -> list[str]:
    found = []
    for name, (data_type, is_key) in served.items():
        column = contract.column(name)
        if column is None:
            found.append(f"lost {name}")
        elif column.data_type != data_type:
            found.append(f"has {name} as {column.data_type} instead of {data_type}")
        elif (column.key_position is not None) != is_key:
            found.append(f"has another key ({name})")
    return found


def _major(version: str) -> int:
    return int(version.split(".")[0])
