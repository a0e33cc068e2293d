"""Nothing is lost, nothing is doubled: landed rows and events against the company's truth."""

from __future__ import annotations

import duckdb
from built_company import Built, rightly_resolved

from orchestration import warehouse
from orchestration.keys import pseudonym, pseudonym_key


def test_every_true_event_is_published_once_with_or_without_an_owner(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    key = pseudonym_key(built.settings)
    events = duckdb.sql(f"select source, entity, event_id from {built.truth('events')}").fetchall()
    true_ids = sorted(pseudonym(key, "/".join(event)) for event in events)
    published = release.execute(
        """
        select touchpoint_id from fct_touchpoints
        union all
        select touchpoint_id from fct_unattributed_touchpoints
        """
    ).fetchall()
    assert len(true_ids) > 15_000
    assert sorted(touchpoint_id for (touchpoint_id,) in published) == true_ids


def test_what_was_broken_on_purpose_is_what_was_quarantined(built: Built) -> None:
    planted = duckdb.sql(
        f"select source, entity, count(*) from {built.truth('broken')} group by all order by all"
    ).fetchall()
    connection = warehouse.connect(built.settings.warehouse, read_only=True)
    found = connection.execute(
        """
        select source, entity, count(distinct (delivery_id, row_number))
        from ingest.quarantine_rows
        group by all
        order by all
        """
    ).fetchall()
    connection.close()
    assert planted
    assert found == planted


def test_the_published_row_ledger_balances_and_covers_every_delivery(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    rows = release.execute(
        """
        select
            count(*),
            count(*) filter (
                landed_count = accepted_count + quarantined_count + duplicate_count + erased_count
            ),
            sum(landed_count)
        from _inputs
        """
    ).fetchone()
    deliveries = list(built.settings.landing.glob("*/*/*/manifest.json"))
    assert rows is not None
    assert rows[0] == rows[1] == len(deliveries)
    assert rows[2] > 20_000


def test_events_of_rightly_resolved_persons_belong_to_their_customer(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    key = pseudonym_key(built.settings)
    owners = dict(
        release.execute("select touchpoint_id, customer_id from fct_touchpoints").fetchall()
    )
    resolved = rightly_resolved(built, release)
    events = duckdb.sql(
        f"select source || '/' || entity || '/' || event_id, person_id from {built.truth('events')}"
    ).fetchall()
    attributed = [
        owners[touchpoint_id] == resolved[person_id]
        for event, person_id in events
        if person_id in resolved and (touchpoint_id := pseudonym(key, event)) in owners
    ]
    assert len(attributed) > 5_000
    assert sum(attributed) / len(attributed) >= 0.99
