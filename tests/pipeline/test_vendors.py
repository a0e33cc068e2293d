"""Vendors that are ready to be switched on: their rows reach profiles and touchpoints."""

from __future__ import annotations

import pytest
from vendor_company import land_fixtures, published, switched_on

from orchestration.pipeline.night import run_nights
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

VENDORS = (
    *("snowplow", "mixpanel", "mparticle", "salesforce", "pipedrive", "intercom"),
    *("klaviyo", "sfmc", "delighted", "qualtrics", "mentions"),
)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One night of all vendors together."""
    settings = switched_on(tmp_path_factory.mktemp("vendors"), *VENDORS)
    for vendor in (*VENDORS, "hubspot"):
        land_fixtures(settings, vendor)
    report = run_nights(settings)
    assert report.load is not None and report.load.refused == []
    return settings


def touchpoints(settings: Settings, source: str) -> list[tuple]:
    return published(
        settings,
        "select touchpoint_type, strftime(occurred_at, '%d %H:%M:%S.%g'), record_id, channel"
        " from fct_touchpoints inner join bridge_customer_records using (customer_id)"
        f" where fct_touchpoints.source = '{source}' order by occurred_at, touchpoint_type",
    )


def ledger(settings: Settings, source: str) -> list[tuple]:
    return published(
        settings,
        "select entity, landed_count, accepted_count, quarantined_count, duplicate_count"
        f" from _inputs where source = '{source}' order by entity",
    )


def test_snowplow_s_events_belong_to_the_user_who_logs_in_on_the_browser(
    company: Settings,
) -> None:
    # Six lines, of which one is another's repetition; a ping is taken and is no touchpoint.
    assert ledger(company, "snowplow") == [("enriched", 6, 5, 0, 1), ("events", 2, 2, 0, 0)]
    assert touchpoints(company, "snowplow") == [
        # by the collector's clock: the device's is an hour ahead
        ("page_viewed", "01 09:00:00.250", "u-900", "web"),
        ("log_in", "01 09:05:00.000", "u-900", "web"),
        ("log_out", "01 09:07:00.000", "u-900", "web"),
        ("order_placed", "01 09:09:00.000", "u-900", "app"),
        ("page_viewed", "02 09:00:00.000", "u-901", "web"),
        ("log_in", "02 09:10:00.000", "u-901", "web"),
    ]


def test_mixpanel_s_seconds_and_milliseconds_are_instants_and_a_repeated_event_counts_once(
    company: Settings,
) -> None:
    assert ledger(company, "mixpanel") == [("events", 4, 3, 0, 1)]
    assert touchpoints(company, "mixpanel") == [
        ("page_viewed", "01 09:00:00.000", "u-910", "web"),
        ("sign_up", "01 09:01:00.000", "u-910", "web"),
        ("report_opened", "01 09:02:00.500", "u-910", "app"),
    ]


def test_an_mparticle_batch_is_as_many_events_as_it_holds(company: Settings) -> None:
    assert ledger(company, "mparticle") == [("events", 5, 4, 0, 1)]
    assert touchpoints(company, "mparticle") == [
        ("screen_viewed", "01 09:00:00.500", "u-920", "app"),
        ("trial_started", "01 09:01:01.000", "u-920", "app"),
        ("purchase", "01 09:01:02.000", "u-920", "app"),
    ]
    assert published(
        company,
        "select identifier_type, count(*) from bridge_customer_identifiers"
        " inner join bridge_customer_records using (customer_id)"
        " where record_id = 'u-920' group by all order by all",
    ) == [("email", 1), ("user_id", 1)]


def customers(settings: Settings, source: str) -> list[list[str]]:
    """The records of each customer of whom a source has one."""
    found = published(
        settings,
        "with records as (select customer_id, source,"
        " source || '/' || entity || '/' || record_id as record from bridge_customer_records)"
        " select list(record order by record) from records group by customer_id"
        f" having bool_or(source = '{source}') order by 1",
    )
    return [records for (records,) in found]


def test_salesforce_s_merges_and_conversions_make_one_customer(company: Settings) -> None:
    assert customers(company, "salesforce") == [
        ["salesforce/contacts/003A", "salesforce/contacts/003B"],
        ["salesforce/contacts/003C", "salesforce/leads/00QA"],
        ["salesforce/leads/00QB"],
    ]
    assert published(
        company,
        "select accounts.employee_count, records.record_id"
        " from bridge_customer_accounts as bridge"
        " inner join dim_accounts as accounts using (account_id)"
        " inner join bridge_customer_records as records using (customer_id)"
        " where records.source = 'salesforce' group by all order by 2",
    ) == [(120, "003A"), (120, "003B")]


def test_a_case_is_a_ticket_of_its_contact_and_a_deleted_one_is_nobody_s(
    company: Settings,
) -> None:
    tickets = "select source, ticket_id, touchpoint_type, channel, department from fct_touchpoints"
    assert published(company, f"{tickets} where source = 'salesforce' and ticket_id <> ''") == [
        ("salesforce", "500A", "ticket_opened", "phone", "support")
    ]
    assert published(
        company,
        "select touchpoint_type, reason from fct_unattributed_touchpoints"
        " where source = 'salesforce' order by all",
    ) == [("deal_lost", "deleted"), ("ticket_opened", "deleted")]


def test_people_of_pipedrive_and_intercom_with_one_address_are_one_customer(
    company: Settings,
) -> None:
    assert customers(company, "pipedrive") == [
        ["intercom/contacts/6501", "pipedrive/persons/11"],
        ["pipedrive/persons/12"],
    ]
    assert customers(company, "intercom")[1:] == [["intercom/contacts/6502"]]
    assert published(
        company,
        "select ticket_id, touchpoint_type, channel, strftime(occurred_at, '%d %H:%M')"
        " from fct_touchpoints where source = 'intercom' order by ticket_id, occurred_at",
    ) == [
        ("901", "ticket_opened", "chat", "08 08:00"),
        ("901", "ticket_commented", "chat", "08 08:10"),
        ("901", "ticket_commented", "chat", "08 08:20"),
        ("901", "ticket_rated", "survey", "08 10:03"),
        ("902", "ticket_opened", "chat", "08 08:00"),
    ]


def test_what_is_said_in_a_conversation_is_a_contact_and_a_note_is_a_step(
    company: Settings,
) -> None:
    said = (
        "select direction, trigger_kind, agent_pseudonym is not null, record_id"
        " from fct_touchpoints inner join bridge_customer_records using (customer_id)"
        " where fct_touchpoints.source = 'intercom' and touchpoint_type = 'ticket_commented'"
        " and bridge_customer_records.source = 'intercom' order by occurred_at"
    )
    assert published(company, said) == [
        ("outbound", "agent", True, "6501"),
        ("inbound", "customer", False, "6501"),
    ]
    rated = "select value from fct_kpi_values where kpi = 'csat_share' and slice_type = 'all'"
    assert {value for (value,) in published(company, rated)} == {1.0}
    steps = (
        "select ticket_id, step_type, strftime(occurred_at, '%d %H:%M') from fct_service_steps"
        " where ticket_id = '901' order by occurred_at"
    )
    assert published(company, steps) == [
        ("901", "internal_comment", "08 08:30"),
        ("901", "closed", "08 09:00"),
    ]


def test_salesforce_s_opportunities_are_deals_of_their_contacts_and_accounts(
    company: Settings,
) -> None:
    deals = (
        "select split_part(deal_id, 'salesforce/', 2), record_id, account_id is not null,"
        " current_stage, outcome, stage_count,"
        " value_amount::text, currency, is_archived,"
        " strftime(opened_at, '%m-%d ') || strftime(closed_at, '%m-%d') from fct_deals"
        " left join bridge_customer_records as records"
        " on records.customer_id = fct_deals.customer_id and records.entity = 'contacts'"
        " and records.record_id in ('003A', '003C')"
        " where fct_deals.deal_id like 'salesforce/%' order by deal_id"
    )
    assert published(company, deals) == [
        ("006A", "003A", True, "closedwon", "won", 2, "12000.50", "USD", False, "02-01 02-20"),
        ("006B", "003C", False, "closedlost", "lost", 1, "300.00", "USD", True, "02-01 02-10"),
    ]
    moves = (
        "select touchpoint_type, strftime(occurred_at, '%m-%d'), value_amount::text"
        " from fct_touchpoints where source = 'salesforce' and touchpoint_type like 'deal%'"
        " order by occurred_at, touchpoint_type"
    )
    assert published(company, moves) == [
        ("deal_opened", "02-10", "12000.50"),
        ("deal_won", "02-20", "12000.50"),
    ]


def test_pipedrive_s_deals_are_of_their_persons_and_end_as_their_status_says(
    company: Settings,
) -> None:
    deals = (
        "select split_part(deal_id, 'pipedrive/', 2), record_id, current_stage, outcome,"
        " stage_count, original_amount::text, currency, lost_reason, is_archived"
        " from fct_deals left join bridge_customer_records as records"
        " on records.customer_id = fct_deals.customer_id and records.source = 'pipedrive'"
        " where fct_deals.deal_id like 'pipedrive/%' order by deal_id"
    )
    assert published(company, deals) == [
        ("41", "11", "closedwon", "won", 2, "950.5000", "EUR", None, False),
        ("42", "12", "closedlost", "lost", 1, "120.0000", "USD", "too early", False),
        ("43", "11", "1", None, 1, "900.0000", "EUR", None, True),
    ]
    moves = (
        "select touchpoint_type, strftime(occurred_at, '%m-%d') from {}"
        " where source = 'pipedrive' order by occurred_at, touchpoint_type"
    )
    assert published(company, moves.format("fct_touchpoints")) == [
        ("deal_opened", "02-12"),
        ("deal_lost", "02-13"),
        ("deal_won", "02-24"),
    ]
    assert published(company, moves.format("fct_unattributed_touchpoints")) == [
        ("deal_opened", "02-14")
    ]


def test_a_marketing_mail_of_hubspot_belongs_to_whoever_bears_the_address(
    company: Settings,
) -> None:
    assert published(
        company,
        "select touchpoint_type, record_id from fct_touchpoints"
        " inner join bridge_customer_records using (customer_id)"
        " where fct_touchpoints.source = 'hubspot' and bridge_customer_records.source = 'hubspot'"
        " order by occurred_at",
    ) == [
        ("email_sent", "101"),
        ("email_delivered", "101"),
        ("email_opened", "101"),
        ("email_unsubscribed", "101"),
    ]
    # The address that only Salesforce knows is its lead's; the one that nobody bears is nobody's.
    assert published(
        company,
        "select records.record_id from fct_touchpoints"
        " inner join bridge_customer_records as records using (customer_id)"
        " where fct_touchpoints.source = 'hubspot' and records.source = 'salesforce'",
    ) == [("00QB",)]
    assert published(
        company,
        "select reason, count(*) from fct_unattributed_touchpoints"
        " where source = 'hubspot' group by all",
    ) == [("unknown_record", 1)]


def test_what_names_a_profile_or_its_address_belongs_to_the_profile(company: Settings) -> None:
    assert customers(company, "klaviyo") == [["klaviyo/members/01F3A"]]
    found = published(
        company,
        "select source, touchpoint_type, strftime(occurred_at, '%m-%d %H:%M'), channel, campaign_id"
        " from fct_touchpoints where customer_id in"
        " (select customer_id from bridge_customer_records where source = 'klaviyo')"
        " order by source, occurred_at",
    )
    assert found == [
        ("delighted", "survey_answered", "03-01 09:10", "survey", None),
        ("klaviyo", "email_sent", "03-01 09:00", "email", "WM1"),
        ("klaviyo", "email_opened", "03-01 09:01", "email", "WM1"),
        ("klaviyo", "email_clicked", "03-01 09:02", "email", "F1"),
        ("mentions", "brand_mentioned", "03-01 11:00", "social", None),
        ("qualtrics", "survey_answered", "03-01 10:30", "survey", None),
        # six hours behind UTC in winter and in summer
        ("sfmc", "email_sent", "03-01 15:15", "email", "55"),
        ("sfmc", "email_opened", "07-01 18:05", "email", "55"),
        ("sfmc", "email_clicked", "07-01 18:06", "email", "55"),
        ("sfmc", "email_unsubscribed", "07-01 18:07", "email", "55"),
    ]
    assert published(
        company,
        "select source, touchpoint_type, reason from fct_unattributed_touchpoints"
        " where source in ('sfmc', 'delighted', 'mentions', 'qualtrics') order by all",
    ) == [
        ("delighted", "survey_answered", "unknown_record"),
        ("mentions", "brand_mentioned", "no_handle"),
        ("sfmc", "email_bounced", "unknown_record"),
    ]


def test_a_recommendation_score_counts_in_the_kpi_whoever_asked_for_it(company: Settings) -> None:
    assert published(
        company,
        "select value from fct_kpi_values where kpi = 'nps' and grain = 'month'"
        " and slice_type = 'all'",
    ) == [(0.0,)]
