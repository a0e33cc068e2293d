"""HubSpot's tables as Fivetran lands them: merges, deals, tickets, calls and meetings."""

from __future__ import annotations

import json
from pathlib import Path

from elt_tables import SYNCED, loaded, raw


def test_a_merge_audit_of_hubspot_and_the_property_are_one_list(tmp_path: Path) -> None:
    contact = {
        "id": "1",
        "_fivetran_synced": SYNCED,
        "_fivetran_deleted": "FALSE",
        "property_email": "x@example.org",
        "property_hs_merged_object_ids": "2",
        "property_createdate": "2020-03-01 10:00:00",
    }
    gone = {**contact, "id": "9", "_fivetran_deleted": "TRUE", "property_hs_merged_object_ids": ""}
    audit = {"canonical_vid": "1", "_fivetran_synced": SYNCED}
    merges = [{**audit, "vid_to_merge": "4"}, {**audit, "vid_to_merge": "3"}]
    settings = loaded(
        tmp_path, "hubspot/contacts", contact=[contact, gone], contact_merge_audit=merges
    )
    query = """select contact_id, merged_contact_ids, is_archived from raw.hubspot__contacts
        order by contact_id"""
    assert raw(settings, query) == [("1", "2;3;4", False), ("9", None, True)]


def test_a_deal_of_hubspot_has_its_contact_its_stages_and_how_they_end(tmp_path: Path) -> None:
    deal = {
        "deal_id": "7",
        "_fivetran_synced": SYNCED,
        "_fivetran_deleted": "FALSE",
        "deal_pipeline_id": "p",
        "deal_pipeline_stage_id": "s2",
        "property_amount": "10.5",
        "property_createdate": "2020-03-01 10:00:00",
    }
    entered = [("s1", "2020-03-01 10:00:00"), ("s2", "2020-03-04 10:00:00")]
    stages = [("s1", "FALSE", "FALSE"), ("s2", "TRUE", "TRUE"), ("s3", "TRUE", "FALSE")]
    merged = {"deal_id": "7", "merged_deal_id": "8", "_fivetran_synced": "2020-03-09 05:03:34"}
    settings = loaded(
        tmp_path,
        "hubspot/deals",
        deal=[deal, {**deal, "deal_id": "8", "deal_pipeline_stage_id": "s3"}],
        deal_contact=[{"deal_id": "7", "contact_id": contact} for contact in ("12", "11")],
        deal_stage=[{"deal_id": "7", "value": stage, "date_entered": at} for stage, at in entered],
        deal_pipeline_stage=[
            {"stage_id": stage, "is_closed": closed, "closed_won": won}
            for stage, closed, won in stages
        ],
        merged_deal=[merged],
    )
    query = """select deal_id, contact_id, deal_stage, amount::text, is_archived,
        updated_at::text from raw.hubspot__deals order by deal_id"""
    assert raw(settings, query) == [
        ("7", "11", "closedwon", "10.5000", False, "2020-03-05 05:03:34.208"),
        ("8", None, "closedlost", "10.5000", True, "2020-03-09 05:03:34"),
    ]
    history = "select stage_history::text from raw.hubspot__deals where deal_id = '7'"
    ((told,),) = raw(settings, history)
    assert [(one["value"], one["timestamp"]) for one in json.loads(told)] == [
        ("s1", "2020-03-01T10:00:00Z"),
        ("closedwon", "2020-03-04T10:00:00Z"),
    ]


def test_a_ticket_of_hubspot_is_over_where_its_stage_closes_it_or_a_date_says_so(
    tmp_path: Path,
) -> None:
    ticket = {
        "id": "1",
        "_fivetran_synced": SYNCED,
        "is_deleted": "FALSE",
        "property_createdate": "2020-03-01 10:00:00",
        "property_closed_date": "",
        "property_hs_pipeline_stage": "s1",
        "property_source_type": "EMAIL",
    }
    others = {
        "2": {"property_hs_pipeline_stage": "s2"},
        # the stage is known to be open again, whatever the date says
        "3": {"property_closed_date": "2020-03-02 10:00:00"},
        "4": {"property_hs_pipeline_stage": "s9", "property_closed_date": "2020-03-02 10:00:00"},
        "5": {"is_deleted": "TRUE", "_fivetran_synced": "2020-03-09 05:03:34"},
    }
    settings = loaded(
        tmp_path,
        "hubspot/tickets",
        ticket=[ticket, *({**ticket, "id": key, **other} for key, other in others.items())],
        ticket_contact=[{"ticket_id": "1", "contact_id": contact} for contact in ("12", "11")],
        ticket_pipeline_stage=[
            {"stage_id": "s1", "is_closed": "FALSE", "ticket_state": "OPEN"},
            {"stage_id": "s2", "is_closed": "FALSE", "ticket_state": "CLOSED"},
        ],
    )
    query = """select ticket_id, requester_id, stage, source_type, is_archived, updated_at::text
        from raw.hubspot__tickets order by ticket_id"""
    written = "2020-03-05 05:03:34.208"
    assert raw(settings, query) == [
        ("1", "11", "s1", "EMAIL", False, written),
        ("2", None, "closed", "EMAIL", False, written),
        ("3", None, "s1", "EMAIL", False, written),
        ("4", None, "closed", "EMAIL", False, written),
        ("5", None, "s1", "EMAIL", True, "2020-03-09 05:03:34"),
    ]


def test_calls_and_meetings_of_hubspot_are_read_in_their_newer_and_older_columns(
    tmp_path: Path,
) -> None:
    links = [{"engagement_id": "1", "contact_id": contact} for contact in ("12", "11")]
    call = {
        "engagement_id": "1",
        "_fivetran_synced": SYNCED,
        "_fivetran_deleted": "FALSE",
        "property_hs_timestamp": "2020-03-01 10:00:00",
        "property_hs_createdate": "2020-03-01 09:59:00",
        "property_hs_lastmodifieddate": "2020-03-01 10:05:00",
        "property_hs_call_direction": "Inbound",
        "property_hs_call_duration": "90000",
        "property_hubspot_owner_id": "7",
    }
    older = {
        "engagement_id": "2",
        "_fivetran_synced": SYNCED,
        "_fivetran_deleted": "TRUE",
        "duration_milliseconds": "1000",
    }
    engagement = {
        "id": "2",
        "timestamp": "2020-03-02 10:00:00",
        "created_at": "2020-03-02 09:00:00",
        "last_updated": "2020-03-02 11:00:00",
        "owner_id": "8",
        "active": "true",
    }
    names = dict.fromkeys([*call, *older], "")
    calls = loaded(
        tmp_path / "c",
        "hubspot/calls",
        engagement_call=[{**names, **call}, {**names, **older}],
        engagement=[engagement],
        engagement_contact=links,
    )
    query = """select call_id, direction, duration_milliseconds, owner_id, contact_id, is_archived,
        occurred_at::text, created_at::text, updated_at::text
        from raw.hubspot__calls order by call_id"""
    assert raw(calls, query) == [
        (
            *("1", "INBOUND", 90_000, "7", "11", False),
            *("2020-03-01 10:00:00", "2020-03-01 09:59:00", "2020-03-01 10:05:00"),
        ),
        (
            *("2", None, 1_000, "8", None, True),
            *("2020-03-02 10:00:00", "2020-03-02 09:00:00", "2020-03-05 05:03:34.208"),
        ),
    ]
    meeting = {
        "engagement_id": "1",
        "_fivetran_synced": SYNCED,
        "start_time": "2020-03-03 10:00:00",
        "end_time": "2020-03-03 11:00:00",
        "meeting_outcome": "COMPLETED",
    }
    meetings = loaded(
        tmp_path / "m",
        "hubspot/meetings",
        engagement_meeting=[meeting],
        engagement_contact=links,
    )
    query = """select meeting_id, outcome, contact_id, start_at::text, end_at::text,
        created_at::text from raw.hubspot__meetings"""
    assert raw(meetings, query) == [
        (
            *("1", "COMPLETED", "11", "2020-03-03 10:00:00", "2020-03-03 11:00:00"),
            "2020-03-03 10:00:00",
        )
    ]
