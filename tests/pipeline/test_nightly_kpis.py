"""KPIs against the planted journeys."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest
from built_company import Built

Counts = dict[date, tuple[int, int]]


def planted(built: Built, stage: str) -> Counts:
    """By month of the time limit: persons who entered a stage, and all; the limit has passed."""
    as_of = max(built.report.nights)
    rows = duckdb.sql(
        f"""
        with persons as (
            select
                person_id,
                min(entered_at) + interval 30 day as limit_at,
                max((stage = '{stage}')::integer) as has_entered,
            from {built.truth("stage_visits")}
            group by person_id
        )
        select date_trunc('month', limit_at)::date, sum(has_entered)::integer, count(*)
        from persons
        where limit_at <= date '{as_of}' + interval 1 day
        group by all
        """
    ).fetchall()
    return {month: (hits, trials) for month, hits, trials in rows}


def published(release: duckdb.DuckDBPyConnection, kpi: str) -> Counts:
    """Numerator and denominator by month, over everything."""
    rows = release.execute(
        """
        select period_start, numerator::integer, denominator::integer
        from fct_kpi_values where kpi = ? and slice_type = 'all'
        """,
        [kpi],
    ).fetchall()
    return {month: (hits, trials) for month, hits, trials in rows}


@pytest.mark.parametrize(
    ("kpi", "stage"), [("trial_conversion_share", "paid"), ("activation_share", "activated")]
)
def test_shares_of_trials_are_the_planted_ones(
    built: Built, release: duckdb.DuckDBPyConnection, kpi: str, stage: str
) -> None:
    """But for persons whom identity joined wrongly: at most one trial in a hundred."""
    true, found = planted(built, stage), published(release, kpi)
    trials = sum(count for _, count in true.values())
    assert trials > 100
    assert found.keys() == true.keys()
    for part in (0, 1):
        astray = sum(abs(found[month][part] - true[month][part]) for month in true)
        assert astray <= trials / 100


def test_the_newest_months_are_no_better_than_the_others(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    """An instance counted as soon as it ended would let only the fast ones into a new month."""
    months = published(release, "trial_conversion_share")
    newest = sorted(months)[-2:]
    others = [months[month] for month in months if month not in newest]
    usual = sum(hits for hits, _ in others) / sum(trials for _, trials in others)
    hits, trials = (sum(months[month][part] for month in newest) for part in (0, 1))
    assert trials >= 10
    assert abs(hits / trials - usual) <= 4 * (usual * (1 - usual) / trials) ** 0.5 + 0.1


def test_slices_of_a_share_add_up_to_the_whole(release: duckdb.DuckDBPyConnection) -> None:
    astray = release.execute(
        """
        select kpi, period_start, slice_type, sum(denominator) as parts
        from fct_kpi_values
        where slice_type <> 'all'
        group by all
        having (kpi, period_start, parts) not in (
            select (kpi, period_start, denominator) from fct_kpi_values where slice_type = 'all'
        )
        """
    ).fetchall()
    assert astray == []
