"""Writes KPIs, journeys and currency rates as tables of schema `config`, which dbt reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from orchestration import warehouse
from orchestration.company import Company, load_company
from orchestration.journey.definitions import Journey, load_journeys
from orchestration.measure.definitions import Kpi, load_kpis
from orchestration.privacy.retention import horizons_by_kind
from orchestration.settings import Settings

Rows = list[tuple[object, ...]]

_TABLES = {
    "kpis": "kpi text, unit text, direction text, aggregate text, owner text, formula text, "
    "description text, scale integer, target decimal(18,6), minimum decimal(18,6), "
    "maximum decimal(18,6), counted_from date",
    "currency_rates": "currency text, rate decimal(18,8), valid_from date",
    "journeys": "journey text, entry_touchpoint_type text, goal_stage text, description text, "
    "journey_version integer, deadline_days integer",
    "journey_stages": "journey text, stage text, touchpoint_type text, description text, "
    "stage_number integer, occurrence_number integer",
}


def write_config_tables(settings: Settings) -> None:
    """Replace `config.{kpis,currency_rates,journeys,journey_stages}` by what the files say now.

    Raises:
        JourneylineError: A file is missing or not valid; nothing was written then.
    """
    kpis, company = load_kpis(settings), load_company(settings)
    since = counted_from(kpis, horizons_by_kind(settings), company.reporting_time_zone)
    rows = config_rows(kpis, load_journeys(settings), company, since)
    connection = warehouse.connect(settings.warehouse)
    try:
        warehouse.replace_config_tables(connection, _TABLES, rows)
    finally:
        connection.close()


def counted_from(
    kpis: list[Kpi], horizons: Mapping[str, datetime], time_zone: str
) -> dict[str, date]:
    """The first day in the reporting zone of which a KPI has every row; absent where all are there.

    Args:
        kpis: The KPIs.
        horizons: Per kind of source: the instant before which rows went by age, UTC without zone.
        time_zone: The reporting zone.
    """
    found: dict[str, date] = {}
    for kpi in kpis:
        mine = [at for kind, at in horizons.items() if not kpi.kinds or kind in kpi.kinds]
        if mine:
            local = max(mine).replace(tzinfo=UTC).astimezone(ZoneInfo(time_zone))
            is_cut = local.time() != datetime.min.time()
            found[kpi.kpi] = local.date() + timedelta(days=1 if is_cut else 0)
    return found


def config_rows(
    kpis: list[Kpi],
    journeys: list[Journey],
    company: Company,
    since: Mapping[str, date] | None = None,
) -> dict[str, Rows]:
    """The rows of each table, in the order of its columns.

    Args:
        kpis: The KPIs.
        journeys: The journey definitions.
        company: Zone, currency and rates.
        since: See `counted_from`.

    Returns:
        Table name to rows; stages are numbered from 1 in the order of their definition.
    """
    return {
        "kpis": [(*_kpi_row(kpi), (since or {}).get(kpi.kpi)) for kpi in kpis],
        "currency_rates": [
            (rate.currency, rate.rate, rate.valid_from)
            for rate in sorted(company.currency_rates, key=lambda r: (r.currency, r.valid_from))
        ],
        "journeys": [
            (
                journey.journey,
                journey.entry_touchpoint_type,
                journey.goal_stage,
                journey.description,
                journey.version,
                journey.deadline_days,
            )
            for journey in journeys
        ],
        "journey_stages": [
            (
                journey.journey,
                stage.stage,
                stage.touchpoint_type,
                stage.description,
                number,
                stage.nth,
            )
            for journey in journeys
            for number, stage in enumerate(journey.stages, start=1)
        ],
    }


def _kpi_row(kpi: Kpi) -> tuple[object, ...]:
    return (
        kpi.kpi,
        kpi.unit,
        kpi.direction,
        kpi.aggregate,
        kpi.owner,
        kpi.formula,
        kpi.description,
        kpi.scale,
        kpi.target,
        kpi.bounds.minimum,
        kpi.bounds.maximum,
    )
