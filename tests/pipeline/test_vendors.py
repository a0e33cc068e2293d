"""Vendors that are ready to be switched on: their rows reach profiles and touchpoints."""

from __future__ import annotations

import pytest
from vendor_company import land_fixtures, published, switched_on

from orchestration.pipeline.night import run_nights
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

VENDORS = ("snowplow", "mixpanel", "mparticle")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One night of all vendors together."""
    settings = switched_on(tmp_path_factory.mktemp("vendors"), *VENDORS)
    for vendor in VENDORS:
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
