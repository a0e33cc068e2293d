"""Drift: how what is delivered differs from its contract, one record per change.

- `added`: a key that the contract does not know. `removed`: a key that no row has any more.
  `returned`: a removed key is back.
- `renamed`, `recased`: a key is gone and another one is it, or seems so.
- `retyped`: most values of a column are no longer of its type. `enum_grew`: a value outside the
  closed set. Such rows break a rule of their own.
- `became_object`: most values of a text are JSON objects or lists. `flattened`: an object that
  columns are read from is none any more.
- `reordered`: a header in another order; columns are read by name, so nothing is lost.

What becomes of the rows is the contract's `driftPolicy`. `evolve` takes them; but what would be
lost without a word (values of a renamed column, those below a flattened object) is quarantined.
`quarantine` keeps out the rows that show any change but the harmless ones (returned, reordered).
`stop` holds a delivery that shows any but `returned`. A change is recorded at the delivery that
shows it first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from orchestration.ingest.contracts import Column, Contract
from orchestration.ingest.landing import Delivery
from orchestration.ingest.reading import json_parents, known_keys, rules_of
from orchestration.ingest.renames import find_renames, is_recased
from orchestration.ingest.tables import literal
from orchestration.ingest.trends import masked

JUDGED_FROM_ROWS = 20
OPTIONAL_JUDGED_FROM_ROWS = 200
_MOST = 0.5
_ENUM_VALUES = 20
# Changes under which a delivery's rows would lose values without a word.
_LOSING = ("renamed", "recased", "flattened")
_GONE = ("removed", "renamed", "recased")
_SHOWN = ("public", "internal")


@dataclass(frozen=True)
class SeenFile:
    """A delivery as its drift is judged.

    Args:
        delivery: The delivery.
        path: Its file as the reader takes it.
        header: Its header, in order; empty for JSON.
    """

    delivery: Delivery
    path: Path
    header: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One difference that one delivery shows.

    Args:
        key: Key of the delivery, or column of the contract for `retyped` and `enum_grew`.
        change: See this module's table.
        detail: What there is to say, for people; None where the change says it all.
        new_key: The key that stands for a renamed one.
    """

    key: str
    change: str
    detail: str | None = None
    new_key: str | None = None

    def __str__(self) -> str:
        return f"{self.key} {self.change}" + (f" ({self.detail})" if self.detail else "")


@dataclass
class _Seen:
    """What one delivery shows."""

    file: SeenFile
    row_count: int
    keys: set[str] = field(default_factory=set)
    flattened: set[str] = field(default_factory=set)
    recased: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    @property
    def has_header(self) -> bool:
        return bool(self.file.header)


def judge_drift(
    connection: duckdb.DuckDBPyConnection, contract: Contract, files: list[SeenFile]
) -> dict[str, str]:
    """Find how each delivery differs, mark its affected rows, record what is new.

    Reads the temporary tables `batch`, `batch_files` and `batch_shapes`; writes `batch_drifted`
    (rows of the batch that are quarantined for drift, with rule and column) and `ingest.drift`.

    Returns:
        What differs from the contract, by delivery id, where the policy is `stop`.
    """
    seen = list(_sightings(connection, contract, files))
    order = _last_header(connection, contract)
    values = _value_changes(connection, contract)
    state, told = _state(connection, contract)
    records: list[list[object]] = []
    for sight in seen:
        against_contract = _key_changes(connection, contract, sight, {})
        others = values.get(sight.file.delivery.delivery_id, [])
        others += [Change(key, "flattened") for key in sorted(sight.flattened)]
        others += [
            _recased(contract, old, new)
            for old, new in sorted(sight.recased.items())
            if old in sight.keys
        ]
        others += _order_changes(order, sight.file.header)
        order = sight.file.header or order
        sight.changes = against_contract + others
        evolving = _key_changes(connection, contract, sight, state, against_contract)
        for change in evolving:
            state[change.key] = change.change
        fresh = evolving + [change for change in others if (change.key, str(change)) not in told]
        told |= {(change.key, str(change)) for change in others if change.change != "reordered"}
        delivery = sight.file.delivery
        place = [contract.source, contract.entity, delivery.delivery_id]
        records += [[*place, c.key, c.change, delivery.received_at, c.detail] for c in fresh]
    if records:
        connection.executemany("insert into ingest.drift values (?, ?, ?, ?, ?, ?, ?)", records)
    _keep_header(connection, contract, order)
    _mark_rows(connection, contract, seen)
    if contract.drift_policy != "stop":
        return {}
    return {
        sight.file.delivery.delivery_id: ", ".join(str(change) for change in sight.changes)
        for sight in seen
        if sight.changes
    }


def _sightings(
    connection: duckdb.DuckDBPyConnection, contract: Contract, files: list[SeenFile]
) -> Iterator[_Seen]:
    """Each delivery that has rows or a header, with the keys that it shows."""
    counts = dict(connection.execute("select delivery_id, row_count from batch_files").fetchall())
    shapes = _shapes(connection) if contract.is_json else {}
    parents = json_parents(contract)
    for file in files:
        sight = _Seen(file, counts[file.delivery.delivery_id], set(file.header))
        for shape in shapes.get(file.delivery.delivery_id, []):
            keys, flattened = _read_shape(parents, shape)
            sight.keys |= keys
            sight.flattened |= flattened
            sight.recased |= _recased_in(contract, keys)
        if sight.keys:
            yield sight


def _recased_in(contract: Contract, keys: set[str]) -> dict[str, str]:
    """Keys of the contract that rows of one shape lack, with the key that they have instead."""
    known = known_keys(contract)
    unknown = [key for key in keys if key not in known]
    return {
        old: new for new in unknown for old in known if old not in keys and is_recased(old, new)
    }


def _shapes(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for delivery_id, shape in connection.execute(
        """
        with borne as (
            select distinct delivery_id, shape
            from batch inner join batch_files on batch.file_number = batch_files.file_number
            where shape is not null
        )
        select delivery_id, coalesce(batch_shapes.shape, borne.shape)
        from borne left join batch_shapes on borne.shape = batch_shapes.code
        """
    ).fetchall():
        found.setdefault(delivery_id, []).append(shape)
    return found


def _read_shape(parents: list[str], shape: str) -> tuple[set[str], set[str]]:
    """The keys that a shape shows, and the objects of the contract that are none in it."""
    names, _, kinds = shape.partition("|")
    keys = {
        f"{parent}.{name}" if parent else name
        for parent, below in zip(parents, json.loads(names), strict=True)
        for name in below or []
    }
    inner = [parent for parent in parents if parent]
    said = json.loads(kinds) if kinds else []
    return keys, {
        parent
        for parent, kind in zip(inner, said, strict=True)
        if kind not in (None, "NULL", "OBJECT", "ARRAY")
    }


def _key_changes(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    sight: _Seen,
    state: dict[str, str],
    renames_of: Iterable[Change] = (),
) -> list[Change]:
    """Keys that came and went against the state; few rows do not tell that a key is gone."""
    known = known_keys(contract)
    taken_by_alias = {
        column.path: alias
        for column in contract.columns
        for alias in column.aliases
        if alias in sight.keys
    }
    came: list[Change] = []
    gone: list[Change] = []
    unsure: list[Change] = []
    for key in sorted(known.keys() | state.keys() | sight.keys):
        last = state.get(key)
        if key in sight.keys:
            if last in _GONE:
                came.append(Change(key, "returned"))
            elif last is None and key not in known:
                came.append(Change(key, "added"))
        elif last not in _GONE and (key in known or last is not None):
            columns = known.get(key, [])
            is_alias = any(key in column.aliases for column in columns)
            bound = (
                JUDGED_FROM_ROWS
                if any(column.is_required for column in columns)
                else OPTIONAL_JUDGED_FROM_ROWS
            )
            is_told = sight.has_header or sight.row_count >= bound
            if not is_alias and key not in taken_by_alias:
                (gone if is_told else unsure).append(Change(key, "removed"))
    renamed = {change.key: change for change in renames_of if change.change in _LOSING}
    if not renames_of:
        renamed = _renamed(connection, contract, sight, known, gone + unsure, came)
    changed = [renamed.get(change.key, change) for change in gone]
    changed += [renamed[change.key] for change in unsure if change.key in renamed]
    return came + changed


def _renamed(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    sight: _Seen,
    known: dict[str, list[Column]],
    gone: list[Change],
    came: list[Change],
) -> dict[str, Change]:
    columns = {
        change.key: column
        for change in gone
        for column in known.get(change.key, [])
        if column.path == change.key
    }
    added = [change.key for change in came if change.change == "added"]
    if not columns or not added:
        return {}
    file = sight.file
    found = find_renames(connection, contract, file.path, file.header, columns, added)
    changes = {}
    for rename in found:
        if rename.is_recased:
            changes[rename.old] = _recased(contract, rename.old, rename.new)
        elif sight.row_count >= JUDGED_FROM_ROWS or sight.has_header:
            told = _proposal(rename.new, rename.evidence, columns[rename.old])
            changes[rename.old] = Change(rename.old, "renamed", told, rename.new)
    return changes


def _recased(contract: Contract, old: str, new: str) -> Change:
    column = known_keys(contract)[old][0]
    told = _proposal(new, "the same name in other letters", column)
    return Change(old, "recased", told, new)


def _proposal(new: str, evidence: str, column: Column) -> str:
    return f"now {new}: {evidence}; if so, add it to the aliases of {column.name}"


def _value_changes(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> dict[str, list[Change]]:
    """Columns whose values changed their kind, and values outside closed sets, by delivery."""
    found: dict[str, list[Change]] = {}
    for delivery_id, change in [
        *_grown_sets(connection, contract),
        *_retyped(connection, contract),
        *_became_objects(connection, contract),
    ]:
        found.setdefault(delivery_id, []).append(change)
    return found


def _grown_sets(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> Iterator[tuple[str, Change]]:
    columns = {column.name: column for column in contract.columns}
    for rule in rules_of(contract):
        if rule.name != "not_in_set" or rule.column_name is None:
            continue
        is_shown = columns[rule.column_name].classification in _SHOWN
        for delivery_id, value in connection.execute(
            """
            select distinct delivery_id, value
            from batch inner join batch_files on batch.file_number = batch_files.file_number
            where failure = ? and not is_again
            qualify dense_rank() over (partition by delivery_id order by value) <= ?
            order by delivery_id, value
            """,
            [rule.number, _ENUM_VALUES],
        ).fetchall():
            told = f"new value {value if is_shown else masked(value)}"
            yield delivery_id, Change(rule.column_name, "enum_grew", told)


def _retyped(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> Iterator[tuple[str, Change]]:
    places = {column.name: place for place, column in enumerate(contract.columns, start=1)}
    types = {column.name: column.physical_type for column in contract.columns}
    failed = {
        number
        for (number,) in connection.execute(
            "select distinct failure from batch where failure is not null"
        ).fetchall()
    }
    for rule in rules_of(contract):
        if rule.name != "wrong_type" or rule.number not in failed:
            continue
        assert rule.column_name is not None
        for delivery_id, sample in connection.execute(
            f"""
            select delivery_id, min(value) filter (where failure = ?)
            from batch inner join batch_files on batch.file_number = batch_files.file_number
            where not is_again group by delivery_id
            having count_if(failure = ?) >= ? * (
                count(c{places[rule.column_name]}) + count_if(failure = ?)
            ) and count_if(failure = ?) >= ?
            """,
            [rule.number, rule.number, _MOST, rule.number, rule.number, JUDGED_FROM_ROWS],
        ).fetchall():
            told = f"most values are no {types[rule.column_name]}, such as {masked(sample)}"
            yield delivery_id, Change(rule.column_name, "retyped", told)


def _became_objects(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> Iterator[tuple[str, Change]]:
    if not contract.is_json:
        return
    texts = [
        (place, column)
        for place, column in enumerate(contract.columns, start=1)
        if column.physical_type == "text"
    ]
    if not texts:
        return
    counts = ", ".join(f"count_if({_is_container(place)}), count(c{place})" for place, _ in texts)
    for delivery_id, *counted in connection.execute(
        f"""
        select delivery_id, {counts}
        from batch inner join batch_files on batch.file_number = batch_files.file_number
        where not is_again group by delivery_id
        """
    ).fetchall():
        for number, (_, column) in enumerate(texts):
            containers, filled = counted[2 * number], counted[2 * number + 1]
            if containers >= JUDGED_FROM_ROWS and containers >= _MOST * filled:
                yield delivery_id, Change(column.path, "became_object")


def _is_container(place: int) -> str:
    # Free text may begin with a bracket; only what is JSON counts.
    return f"case when unicode(c{place}) in (91, 123) then json_valid(c{place}) else false end"


def _order_changes(before: tuple[str, ...], header: tuple[str, ...]) -> list[Change]:
    if not before or not header:
        return []
    common = [name for name in before if name in header]
    moved = [name for name in header if name in before]
    return [Change(",".join(moved), "reordered")] if moved != common else []


def _last_header(connection: duckdb.DuckDBPyConnection, contract: Contract) -> tuple[str, ...]:
    row = connection.execute(
        "select header from ingest.headers where source = ? and entity = ?",
        [contract.source, contract.entity],
    ).fetchone()
    return tuple(json.loads(row[0])) if row else ()


def _keep_header(
    connection: duckdb.DuckDBPyConnection, contract: Contract, header: tuple[str, ...]
) -> None:
    if header:
        place = [contract.source, contract.entity]
        connection.execute("delete from ingest.headers where source = ? and entity = ?", place)
        connection.execute(
            "insert into ingest.headers values (?, ?, ?)", [*place, json.dumps(header)]
        )


def _state(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """The last change of each key that came or went, and all that was told of values."""
    rows = connection.execute(
        """
        select column_name, change, detail from ingest.drift
        where source = ? and entity = ? order by received_at, delivery_id
        """,
        [contract.source, contract.entity],
    ).fetchall()
    keys = ("added", "returned", *_GONE)
    return (
        {key: change for key, change, _ in rows if change in keys},
        {
            (key, str(Change(key, change, detail)))
            for key, change, detail in rows
            if change not in (*keys, "reordered")
        },
    )


def _mark_rows(
    connection: duckdb.DuckDBPyConnection, contract: Contract, seen: list[_Seen]
) -> None:
    """`batch_drifted`: rows that are quarantined for drift, with rule and column."""
    connection.execute(
        "create or replace temp table batch_drifted"
        " (row_id bigint, drift_rule text, drift_column text)"
    )
    parents = json_parents(contract)
    places = {column.path: place for place, column in enumerate(contract.columns, start=1)}
    for sight in seen:
        for change in sight.changes:
            if not _is_quarantined(contract, change):
                continue
            condition = "true"
            if change.change in ("added", *_LOSING) and contract.is_json:
                shapes = _shapes(connection).get(sight.file.delivery.delivery_id, [])
                codes = connection.execute("select shape, code from batch_shapes").fetchall()
                bearing = [shape for shape in shapes if _bears(parents, shape, change)]
                bearing += [code for shape, code in codes if shape in bearing]
                listed = ", ".join(literal(shape) for shape in bearing)
                condition = f"list_contains([{listed}]::text[], shape)"
            elif change.change == "became_object":
                condition = _is_container(places[change.key])
            connection.execute(
                f"""
                insert into batch_drifted
                select batch.row_id, ?, ? from batch
                where file_number in (select file_number from batch_files where delivery_id = ?)
                    and failure is null and {condition}
                    and batch.row_id not in (select row_id from batch_drifted)
                """,
                [f"drift_{change.change}", change.key, sight.file.delivery.delivery_id],
            )


def _bears(parents: list[str], shape: str, change: Change) -> bool:
    """Whether rows of a shape show a change."""
    keys, flattened = _read_shape(parents, shape)
    if change.change == "flattened":
        return change.key in flattened
    if change.new_key is not None:
        return change.new_key in keys and change.key not in keys
    return change.key in keys


def _is_quarantined(contract: Contract, change: Change) -> bool:
    """Whether rows are quarantined for a change; broken rows are by their own rules."""
    if contract.drift_policy == "quarantine":
        return change.change in ("added", "removed", "became_object", *_LOSING)
    return contract.drift_policy == "evolve" and change.change in _LOSING
