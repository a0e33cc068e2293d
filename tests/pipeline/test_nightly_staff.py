"""Somebody whom the nights before took for a customer turns out to be staff."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from built_company import STATE, Built, copy_home, ledger_hashes, parquet_hashes
from landing_rows import land_users, next_night, support_user

from orchestration.pipeline.night import run_nights
from orchestration.pipeline.state import waiting_nights
from orchestration.settings import Settings

AGENT, CUSTOMER, ALONE, TEMP = 970_001, 970_002, 970_003, 970_004
SHARED = {"email": "front.desk.970@mailbox.example"}


@pytest.fixture
def hired_home(built: Built, built_home: Settings, tmp_path: Path) -> Settings:
    """A built home with three nights more: two records link, then the first is an agent's."""
    hired = {"role": "agent", "updated_at": "2025-07-20T00:00:00Z"}
    land_users(
        built_home,
        tmp_path,
        [support_user(AGENT, **SHARED), support_user(ALONE), support_user(TEMP)],
        next_night(built),
    )
    land_users(built_home, tmp_path, [support_user(CUSTOMER, **SHARED)], next_night(built, 1))
    land_users(
        built_home,
        tmp_path,
        [
            support_user(AGENT, **hired, email="agent.970@our-company.example"),
            support_user(ALONE, **hired),
        ],
        next_night(built, 2),
    )
    return built_home


def test_a_record_known_late_to_be_staff_leaves_and_its_customer_keeps_the_id(
    built: Built, hired_home: Settings
) -> None:
    nights = waiting_nights(hired_home)
    run_nights(hired_home, until=nights[1])
    before = _customers(hired_home)
    assert before[AGENT] == before[CUSTOMER]
    run_nights(hired_home)
    after = _customers(hired_home)
    assert after == {CUSTOMER: before[CUSTOMER], TEMP: before[TEMP]}
    assert _corrections(hired_home) == sorted(
        [
            (before[AGENT], "staff", next_night(built, 2).replace(tzinfo=None)),
            (before[ALONE], "staff", next_night(built, 2).replace(tzinfo=None)),
        ]
    )


@pytest.mark.slow
def test_nights_one_by_one_and_all_at_once_agree_on_who_was_staff(
    hired_home: Settings, tmp_path: Path
) -> None:
    at_once = copy_home(hired_home, tmp_path / "once", STATE)
    for night in waiting_nights(hired_home):
        run_nights(hired_home, until=night)
    run_nights(at_once)
    assert ledger_hashes(at_once) == ledger_hashes(hired_home)
    assert parquet_hashes(at_once) == parquet_hashes(hired_home)


def _customers(settings: Settings) -> dict[int, str]:
    with duckdb.connect(str(settings.current / "journeyline.duckdb"), read_only=True) as release:
        return dict(
            release.execute(
                "select record_id::integer, customer_id from bridge_customer_records "
                "where source = 'zendesk' and record_id like '97000_'"
            ).fetchall()
        )


def _corrections(settings: Settings) -> list[tuple[str, str, datetime]]:
    with duckdb.connect(str(settings.current / "journeyline.duckdb"), read_only=True) as release:
        return release.execute(
            "select customer_id, rule, known_at from fct_identity_history "
            "where change = 'corrected' order by customer_id"
        ).fetchall()
