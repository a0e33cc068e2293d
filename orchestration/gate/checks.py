"""The checks of a release, derived from the product contracts and the invariants across tables.

Belongs here: what is checked, as SQL that selects the rows that break the rule. How they are run
belongs to `audit`. Adding a rule to one table is adding lines to its contract.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestration.gate.contracts import ProductColumn, ProductContract

ERROR = "error"
WARNING = "warning"
_SMALLEST_SHARE_OF_CURRENT = 0.9
_MAILBOX = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z]"
_PHONE = r"\+[0-9][0-9 ()./-]{6,}[0-9]"


@dataclass(frozen=True)
class KpiBound:
    """The range outside of which a KPI's value means that something is broken."""

    kpi: str
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True)
class AuditContext:
    """What the audit knows besides the candidate.

    Args:
        current_rows: Rows per table of the release that readers see now.
        kpi_bounds: Bounds from `kpis.yml`.
        freshness: Days that the newest good delivery of a source and entity may be old.
        as_of: Instant the candidate is as of, UTC without zone.
    """

    current_rows: Mapping[str, int] = field(default_factory=dict)
    kpi_bounds: Sequence[KpiBound] = ()
    freshness: Mapping[tuple[str, str], float] = field(default_factory=dict)
    as_of: datetime | None = None


@dataclass(frozen=True)
class Check:
    """One rule about a candidate.

    Args:
        name: Unique and lasting; the runbook and the manifest speak of it.
        table: Table it is about.
        kind: `columns`, `not_null`, `unique`, `in_set`, `in_range`, `foreign_key`, `invariant`,
            `kpi_bound`, `personal_data`, `small_cells`, `freshness` or `row_delta`.
        failing_rows: SQL that selects the rows that break the rule.
        severity: `error` refuses the release, `warning` is reported.
        owner: Who is asked first.
        description: What must hold.
        column: The column it is about; None for a table.
        needs: Tables and columns without which it cannot be asked.
        is_relative: Compares with `current`, so its verdict is not part of the content.
        rows: SQL that is true for the rows that it is asked of; None for all.
    """

    name: str
    table: str
    kind: str
    failing_rows: str
    severity: str
    owner: str
    description: str
    column: ProductColumn | None = None
    needs: tuple[tuple[str, str], ...] = ()
    is_relative: bool = False
    rows: str | None = None

    @property
    def definition(self) -> str:
        """Hash of the rule; another rule of the same name has another one."""
        said = [self.kind, self.failing_rows, self.severity]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]

    @property
    def first_aid(self) -> str:
        """The section of the runbook that says what to do when it fails."""
        return f"docs/runbook.md#check-{self.kind.replace('_', '-')}"


def derive_checks(contracts: Sequence[ProductContract], context: AuditContext) -> list[Check]:
    """Every check of a release, contract by contract and then across tables."""
    checks: list[Check] = []
    tables = {contract.table: contract for contract in contracts}
    for contract in contracts:
        checks.append(_columns_check(contract))
        if contract.key:
            checks.append(_unique_check(contract, contract.key))
        for column in contract.columns:
            checks.extend(_column_checks(contract, column, tables))
        checks.extend(_personal_data_checks(contract))
        checks.extend(_small_cells_checks(contract))
        if contract.table in context.current_rows:
            checks.append(_row_delta_check(contract, context.current_rows[contract.table]))
    checks.extend(_invariants(tables))
    if "fct_kpi_values" in tables:
        checks.extend(_kpi_check(tables["fct_kpi_values"], bound) for bound in context.kpi_bounds)
    for (source, entity), days in sorted(context.freshness.items()):
        if context.as_of is not None:
            checks.append(_freshness_check(source, entity, context.as_of - timedelta(days=days)))
    return checks


def _check(
    contract: ProductContract, kind: str, sql: str, description: str, *columns: str
) -> Check:
    """A check of one contract; one column gives it that column's name."""
    subject = f".{'-'.join(columns)}" if columns else ""
    return Check(
        name=f"{contract.table}{subject}.{kind}",
        table=contract.table,
        kind=kind,
        failing_rows=sql,
        severity=contract.severity,
        owner=contract.owner,
        description=description,
        column=contract.column(columns[0]) if len(columns) == 1 else None,
        needs=tuple((contract.table, column) for column in columns),
    )


def _columns_check(contract: ProductContract) -> Check:
    expected = ", ".join(f"('{c.name}', '{c.data_type}')" for c in contract.columns)
    sql = f"""
        select
            column_name,
            expected.data_type as contract_type,
            found.data_type as found_type
        from (values {expected}) as expected (column_name, data_type)
        full join (
            select column_name, data_type
            from duckdb_columns()
            where table_name = '{contract.table}' and database_name = current_database()
        ) as found using (column_name)
        where expected.data_type is distinct from found.data_type"""
    return _check(contract, "columns", sql, "Has the contract's columns and types, and no other.")


def _unique_check(contract: ProductContract, columns: Sequence[str]) -> Check:
    listed = ", ".join(columns)
    sql = f"""
        select {listed}, count(*) as rows_count
        from {contract.table}
        group by all
        having count(*) > 1"""
    return _check(contract, "unique", sql, f"No two rows share {listed}.", *columns)


def _column_checks(
    contract: ProductContract, column: ProductColumn, tables: Mapping[str, ProductContract]
) -> list[Check]:
    name, checks = column.name, []
    keys = ", ".join(dict.fromkeys((*contract.key, name)))
    head = f"select {keys} from {contract.table} where"
    if column.is_required:
        sql = f"{head} {name} is null"
        checks.append(_check(contract, "not_null", sql, f"{name} is never null.", name))
    if column.is_unique and contract.key != (name,):
        checks.append(_unique_check(contract, [name]))
    if column.allowed is not None:
        values = ", ".join("'" + value.replace("'", "''") + "'" for value in column.allowed)
        sql = f"{head} {name} not in ({values})"
        checks.append(_check(contract, "in_set", sql, f"{name} is one of {values}.", name))
    bounds = [(column.minimum, "<"), (column.maximum, ">")]
    broken = [f"{name} {sign} {bound}" for bound, sign in bounds if bound is not None]
    if broken:
        sql = f"{head} {' or '.join(broken)}"
        text = f"{name} lies between {column.minimum} and {column.maximum}."
        checks.append(_check(contract, "in_range", sql, text, name))
    if column.references is not None and column.references[0] in tables:
        checks.append(_foreign_key_check(contract, column, column.references, keys))
    return checks


def _foreign_key_check(
    contract: ProductContract, column: ProductColumn, target: tuple[str, str], keys: str
) -> Check:
    table, key = target
    sql = f"""
        select {keys}
        from {contract.table}
        where
            {column.name} is not null
            and {column.name} not in (select {key} from {table} where {key} is not null)"""
    text = f"Every {column.name} is a {key} of {table}."
    check = _check(contract, "foreign_key", sql, text, column.name)
    return _needing(check, *check.needs, target)


def _small_cells_checks(contract: ProductContract) -> list[Check]:
    """No figure is shown of a group that is too small to hide anybody in."""
    cells = contract.small_cells
    if cells is None:
        return []
    shown = " or ".join(f"{name} is not null" for name in cells.hidden)
    keys = ", ".join(dict.fromkeys((*contract.key, cells.by, *cells.hidden)))
    sql = f"select {keys} from {contract.table} where {cells.condition} and ({shown})"
    text = f"No figure of fewer than {cells.at_least} people by {' or '.join(cells.values)}."
    check = _check(contract, "small_cells", sql, text)
    needs = tuple((contract.table, name) for name in (cells.by, cells.people, *cells.hidden))
    return [Check(**{**vars(check), "severity": ERROR, "needs": needs})]


def _personal_data_checks(contract: ProductContract) -> list[Check]:
    """Nothing that is published looks like an e-mail address or a phone number."""
    texts = [column.name for column in contract.columns if column.data_type == "VARCHAR"]
    if not texts:
        return []
    # A character is found faster than a pattern, and hardly any value has it.
    found = [
        f"(contains({name}, '@') and regexp_matches({name}, '{_MAILBOX}'))"
        f" or (contains({name}, '+') and regexp_matches({name}, '{_PHONE}'))"
        for name in texts
    ]
    keys = ", ".join(dict.fromkeys((*contract.key, *texts)))
    sql = f"select {keys} from {contract.table} where {' or '.join(found)}"
    text = "No text looks like an e-mail address or a phone number."
    check = _check(contract, "personal_data", sql, text)
    needs = tuple((contract.table, name) for name in texts)
    return [Check(**{**vars(check), "severity": ERROR, "needs": needs})]


def _row_delta_check(contract: ProductContract, rows: int) -> Check:
    sql = f"""
        select {rows} as rows_in_current, count(*) as rows_in_candidate
        from {contract.table}
        having count(*) < {rows} * {_SMALLEST_SHARE_OF_CURRENT}"""
    check = _check(
        contract, "row_delta", sql, "Has not lost more than a tenth of its rows since current."
    )
    return Check(**{**vars(check), "severity": WARNING, "is_relative": True})


def _kpi_check(contract: ProductContract, bound: KpiBound) -> Check:
    limits = [(bound.minimum, "<"), (bound.maximum, ">")]
    broken = " or ".join(f"value {sign} {limit}" for limit, sign in limits if limit is not None)
    kpi = bound.kpi.replace("'", "''")
    sql = f"""
        select kpi, grain, period_start, slice_type, slice_value, value, denominator
        from fct_kpi_values
        where kpi = '{kpi}' and slice_type = 'all' and ({broken or "false"})"""
    text = f"{bound.kpi} lies between {bound.minimum} and {bound.maximum}."
    check = _check(contract, "kpi_bound", sql, text)
    check = Check(**{**vars(check), "name": f"fct_kpi_values.{bound.kpi}.kpi_bound"})
    columns = ("kpi", "grain", "period_start", "slice_type", "slice_value", "value", "denominator")
    return _needing(check, *(("fct_kpi_values", column) for column in columns))


def _freshness_check(source: str, entity: str, oldest: datetime) -> Check:
    """A source that stands still is reported and stops nothing: its last good data is served."""
    named = [name.replace("'", "''") for name in (source, entity)]
    mine = f"entity = '{named[1]}'"
    good = "status = 'loaded'"
    before = f"< timestamp '{oldest:%Y-%m-%d %H:%M:%S}'"
    # A table on which nothing changed is not delivered: its source speaks for it then.
    sql = f"""
        select
            source,
            max(received_at) filter ({mine} and {good}) as newest_received_at
        from _inputs
        where source = '{named[0]}'
        group by source
        having
            newest_received_at {before}
            and (
                max(received_at) filter ({good}) {before}
                or max(received_at) filter ({mine} and not {good}) > newest_received_at
            )"""
    return Check(
        name=f"{source}.{entity}.freshness",
        table="_inputs",
        kind="freshness",
        failing_rows=sql,
        severity=WARNING,
        owner="data",
        description=f"{source}/{entity} delivered as recently as its contract promises.",
        needs=(("_inputs", "delivery_id"),),
    )


_INVARIANTS = (
    (
        "customers_have_history",
        "dim_customers",
        (("dim_customers", "customer_id"), ("fct_identity_history", "customer_id")),
        "No customer id without history.",
        """
        select customer_id
        from dim_customers
        where customer_id not in (
            select customer_id from fct_identity_history where customer_id is not null
        )""",
    ),
    (
        "records_make_customers",
        "dim_customers",
        (("dim_customers", "customer_id"), ("bridge_customer_records", "record_id")),
        "Where there are records there are customers.",
        """
        select count(*) as records_count
        from bridge_customer_records
        having count(*) > 0 and (select count(*) from dim_customers) = 0""",
    ),
    (
        "stage_visits_do_not_overlap",
        "fct_journey_stages",
        tuple(
            ("fct_journey_stages", column)
            for column in ("journey_instance_id", "stage", "visit_number", "entered_at", "left_at")
        ),
        "A visit to a stage begins when the one before has ended, and never ends before it began.",
        """
        select journey_instance_id, stage, visit_number, entered_at, left_at, next_entered_at
        from (
            select
                *,
                lead(entered_at) over (
                    partition by journey_instance_id
                    order by entered_at nulls last, left_at nulls last, stage, visit_number
                ) as next_entered_at
            from fct_journey_stages
        ) as visits
        where left_at < entered_at or coalesce(left_at, 'infinity') > next_entered_at""",
    ),
    (
        "only_consent_makes_reachable",
        "fct_audience_memberships",
        (
            ("fct_audience_memberships", "channel"),
            ("fct_audience_memberships", "consent_state"),
            ("fct_audience_memberships", "suppressed_by"),
            ("fct_audience_memberships", "is_reachable"),
            ("dim_customers", "is_subscribed"),
        ),
        "Whoever is reachable gave consent, and for e-mail every subscription of theirs stands.",
        """
        select audience, customer_id, channel, consent_state, suppressed_by, is_subscribed
        from fct_audience_memberships
        left join dim_customers using (customer_id)
        where
            is_reachable is distinct from (suppressed_by is null)
            or is_reachable and consent_state <> 'granted'
            or is_reachable and channel = 'email' and is_subscribed is not true""",
    ),
    (
        "row_ledger_balances",
        "_inputs",
        (("_inputs", "delivery_id"),),
        "landed = accepted + quarantined + duplicate + erased, for every delivery.",
        """
        select delivery_id, landed_count, accepted_count, quarantined_count, duplicate_count,
            erased_count
        from _inputs
        where landed_count is distinct from
            accepted_count + quarantined_count + duplicate_count + erased_count""",
    ),
)


def _invariants(tables: Mapping[str, ProductContract]) -> list[Check]:
    checks = []
    for name, table, needs, description, sql in _INVARIANTS:
        if all(needed in tables or needed == "_inputs" for needed, _ in needs):
            owner = tables[table].owner if table in tables else "data"
            check = Check(name, table, "invariant", sql, ERROR, owner, description)
            checks.append(_needing(check, *needs))
    return checks


def _needing(check: Check, *needs: tuple[str, str]) -> Check:
    return Check(**{**vars(check), "needs": tuple(needs)})
