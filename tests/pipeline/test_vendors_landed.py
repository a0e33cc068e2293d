"""Real tables that Fivetran landed reach profiles and touchpoints."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml
from vendor_company import NIGHT, published, switched_on

from benchmarks.landed import TABLES, entries, rendered
from orchestration import warehouse
from orchestration.connectors.run import fetch_tables
from orchestration.pipeline.night import run_nights
from orchestration.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def company(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One night of all real tables together."""
    settings = switched_on(tmp_path_factory.mktemp("landed"), *TABLES)
    path = settings.config / "sources.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    entries(shared_data / "landed", document)
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    fetched = fetch_tables(settings, (), lambda line: None, lambda: NIGHT)
    assert {one.table: one.error for one in fetched if one.error} == {}
    run_nights(settings)
    return settings


def built(settings: Settings, query: str) -> list[tuple]:
    """Rows of the warehouse."""
    connection = warehouse.connect(settings.warehouse, read_only=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_every_row_is_accounted_for_and_none_is_quarantined(company: Settings) -> None:
    ledger = (
        "select count(*), sum(quarantined_count),"
        " sum(landed_count - accepted_count - duplicate_count) from _inputs"
    )
    tables = sum(len(entities) for _, entities in TABLES.values())
    assert published(company, ledger) == [(tables, 0, 0)]


def test_the_list_for_the_docs_names_every_table_and_what_was_quarantined(
    shared_data: Path,
) -> None:
    text = rendered(shared_data / "landed")
    for vendor, (_, entities) in TABLES.items():
        for entity in entities:
            assert f"| {vendor}/{entity} | loaded |" in text
    assert "Nothing had to be quarantined." in text and "Not fetched" not in text


def test_contacts_that_hubspot_merged_are_one_customer(company: Settings) -> None:
    merged = (
        "select list(distinct record_id order by record_id), count(distinct customer_id)"
        " from bridge_customer_records where source = 'hubspot'"
        " and record_id in ('78971951', '76340251', '46897301', '76226001')"
    )
    ((records, customers),) = published(company, merged)
    assert (sorted(records), customers) == (["46897301", "76226001", "76340251", "78971951"], 1)


def test_what_had_to_be_quarantined_is_listed_with_its_reason(company: Settings) -> None:
    listed = built(
        company,
        "select source, entity, rule, column_name, count(*) from ingest.quarantine_rows"
        " group by all order by all",
    )
    # Nothing had to be: every row of the real tables keeps its contract.
    assert listed == []


def test_a_merged_contact_s_deletion_leaves_its_survivor_s_customer(company: Settings) -> None:
    survivors = (
        "select count(*), count(distinct customer_id) from bridge_customer_records"
        " where source = 'hubspot' and entity = 'contacts'"
    )
    records, customers = published(company, survivors)[0]
    # 22 contacts, of which three were merged into a fourth.
    assert (records, customers) == (22, 19)


def test_deals_are_those_of_the_tables_and_deleted_ones_are_marked(
    company: Settings, shared_data: Path
) -> None:
    landed = shared_data / "landed"
    with (landed / "salesforce" / "sf_opportunity_data.csv").open(encoding="utf-8-sig") as file:
        opportunities = {row["id"]: row["is_deleted"] for row in csv.DictReader(file)}
    with (landed / "hubspot" / "deal_data.csv").open(encoding="utf-8-sig") as file:
        deals = {row["deal_id"] for row in csv.DictReader(file)}
    found = published(company, "select deal_id, is_archived from fct_deals order by deal_id")
    expected = {deal: False for deal in deals}
    expected |= {f"salesforce/{key}": gone == "true" for key, gone in opportunities.items()}
    assert dict(found) == expected
    # What happened on a deleted one is nobody's.
    assert published(
        company, "select count(*) from fct_touchpoints where source = 'salesforce'"
    ) == [(0,)]


def test_real_tickets_and_engagements_of_hubspot_are_events_or_say_why_not(
    company: Settings,
) -> None:
    told = (
        "select touchpoint_type, channel, count(*) from (select source, touchpoint_type, channel"
        " from fct_touchpoints union all select source, touchpoint_type, channel"
        " from fct_unattributed_touchpoints) where source = 'hubspot'"
        " and touchpoint_type not like 'email%' and touchpoint_type not like 'deal%'"
        " group by all order by all"
    )
    assert published(company, told) == [
        ("call_held", "phone", 1),
        ("meeting_held", "meeting", 100),
        ("ticket_opened", None, 25),
    ]
    tickets = "select status, count(*) from journey.int_tickets where source = 'hubspot' group by 1"
    assert dict(built(company, tickets)) == {"closed": 22, "open": 3}


def test_the_parts_of_real_conversations_are_steps_of_the_company(company: Settings) -> None:
    steps = (
        "select step_type, count(*) from journey.int_service_steps where source = 'intercom'"
        " group by all order by all"
    )
    # Their conversations are not among those that were landed, so they are no customer's.
    assert built(company, steps) == [("closed", 8), ("internal_comment", 1)]


def test_the_tickets_that_were_not_deleted_are_touchpoints(company: Settings) -> None:
    opened = "select {} from {} where source = 'zendesk' and touchpoint_type = 'ticket_opened'"
    ((deleted,),) = published(
        company,
        opened.format("count(*)", "fct_unattributed_touchpoints") + " and reason = 'deleted'",
    )
    ((owned,),) = published(company, opened.format("count(*)", "fct_touchpoints"))
    ((others,),) = published(
        company,
        opened.format("count(*)", "fct_unattributed_touchpoints") + " and reason <> 'deleted'",
    )
    assert (deleted, owned + others) == (2, 8)


def test_accounts_that_were_deleted_are_archived(company: Settings) -> None:
    archived = "select is_archived, count(*) from dim_accounts group by all order by all"
    counts = dict(published(company, archived))
    # Nine of Salesforce's ten are deleted; HubSpot's say for themselves.
    assert counts[True] >= 9
    assert counts[False] >= 1


def test_mails_and_conversations_are_somebody_s_or_say_why_not(company: Settings) -> None:
    whose = (
        "select source, touchpoint_type, count(*) from (select source, touchpoint_type"
        " from fct_touchpoints union all select source, touchpoint_type"
        " from fct_unattributed_touchpoints) where source in ('intercom', 'klaviyo', 'qualtrics')"
        " group by all order by all"
    )
    found = {(source, kind): count for source, kind, count in published(company, whose)}
    assert found[("klaviyo", "email_sent")] == 3
    assert found[("intercom", "ticket_opened")] == 2
    assert ("qualtrics", "survey_answered") not in found
