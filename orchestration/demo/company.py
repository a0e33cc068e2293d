"""Builds the demo company: simulates it, lands the nights that are missing, writes its truth."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.demo.app import simulate_app
from orchestration.demo.crm import simulate_crm
from orchestration.demo.deliver import deliver_rows
from orchestration.demo.email import simulate_email
from orchestration.demo.mess import create_broken, make_mess, skip_missing_night
from orchestration.demo.parameters import DEFAULT_START, HISTORY_MONTHS, DemoParameters, Mess
from orchestration.demo.people import create_people
from orchestration.demo.plans import create_plans
from orchestration.demo.records import create_records
from orchestration.demo.support import record_support_truth, simulate_support
from orchestration.demo.surveys import simulate_surveys
from orchestration.demo.truth import write_truth
from orchestration.demo.world import open_world
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import Settings

Progress = Callable[[str], None]
# The latest a row can arrive after its event: the next night, late days, delivered twice, missing.
_LONGEST_DELAY = timedelta(days=18)
_CUSTOMER_MONTHS = 200_000


@dataclass(frozen=True)
class DemoReport:
    """What building the demo company did.

    Args:
        customers: People who arrived during the history.
        seed: The company's seed.
        first_night: The night that delivered the history.
        last_night: The last night delivered.
        nights_added: Nights delivered by this call, the history's among them.
        deliveries_added: Deliveries landed by this call.
        truth_rows: Rows of each truth table.
    """

    customers: int
    seed: int
    first_night: date
    last_night: date
    nights_added: int
    deliveries_added: int
    truth_rows: dict[str, int]


def is_demo_home(settings: Settings) -> bool:
    """Whether the home folder holds a demo company."""
    return _parameters_path(settings).exists()


def build_company(
    settings: Settings,
    *,
    customers: int = 5000,
    nights: int = 30,
    seed: int = 7,
    start: date | None = None,
    mess_file: Path | None = None,
    progress: Progress | None = None,
) -> DemoReport:
    """Land the demo company's deliveries up to a night, and write its truth.

    On an existing company only the missing nights are added; earlier deliveries keep their bytes.

    Args:
        settings: The home folder.
        customers: People who arrive during the 18 months of history.
        nights: Nights after the one that delivers the history.
        seed: Equal seeds give equal bytes.
        start: First day of the history, 2024-01-01 unless given.
        mess_file: YAML with rates that replace the default ones.
        progress: Told one line per stage.

    Raises:
        JourneylineError: The home holds another company, or an argument makes no company.
    """
    if nights < 1:
        raise JourneylineError(
            "A demo company needs at least one night.", f"--nights {nights}", "Give 1 or more.",
            EXIT_USAGE,
        )  # fmt: skip
    wanted = DemoParameters(
        seed=seed,
        customers=customers,
        start=_checked_start(start or DEFAULT_START),
        mess=Mess.from_file(mess_file) if mess_file else Mess(),
    )
    delivered = -1
    if is_demo_home(settings):
        existing, delivered = _read_parameters(settings)
        if existing != wanted:
            raise JourneylineError(
                f"The home already holds another demo company (seed {existing.seed}, "
                f"{existing.customers} customers, start {existing.start}).",
                str(settings.home),
                "Ask for that one again, or use another JOURNEYLINE_HOME.",
                EXIT_USAGE,
            )
    return _extend(settings, wanted, delivered, max(nights, delivered), progress or _silent)


def deliver_next_night(settings: Settings) -> date:
    """Deliver one more night of an existing demo company.

    Returns:
        The night delivered.

    Raises:
        JourneylineError: The home holds no demo company.
    """
    if not is_demo_home(settings):
        raise JourneylineError(
            "There is no demo company here.", str(settings.home), "Run `journeyline demo` first.",
            EXIT_USAGE,
        )  # fmt: skip
    parameters, delivered = _read_parameters(settings)
    return _extend(settings, parameters, delivered, delivered + 1, _silent).last_night


def _extend(
    settings: Settings, parameters: DemoParameters, delivered: int, nights: int, progress: Progress
) -> DemoReport:
    first_night, last_night = parameters.first_night, parameters.night(nights)
    deliveries = 0
    truth_rows: dict[str, int] = {}
    if nights > delivered:
        settings.home.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".demo-", dir=settings.home))
        try:
            world = open_world(parameters, last_night, scratch)
            progress("people, plans and records")
            create_people(world, parameters)
            create_plans(world, parameters.seed)
            create_records(world, parameters)
            create_broken(world)
            wanted = (parameters.night(delivered + 1), last_night)
            deliveries += _deliver_app(world, settings, parameters, wanted, progress)
            progress("CRM, e-mail, support and surveys")
            _simulate_others(world, parameters)
            nights_wanted = (first_night, last_night)
            world.execute("delete from out_row where night > ?", [last_night])
            world.execute("create table out_missing as select * from out_row where true")
            if delivered >= 0:
                world.execute("delete from out_missing where night < ?", [wanted[0]])
                nights_wanted = wanted
            deliveries += deliver_rows(
                world, settings, "out_missing", nights=nights_wanted,
                unordered=parameters.mess.unordered_rows,
            )  # fmt: skip
            if delivered >= 0:
                _recall_broken(world, settings, wanted[0])
            progress("truth")
            truth_rows = write_truth(world, settings.truth, parameters, first_night, last_night)
            world.close()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        _write_parameters(settings, parameters, nights)
    return DemoReport(
        customers=parameters.customers,
        seed=parameters.seed,
        first_night=first_night,
        last_night=last_night,
        nights_added=nights - delivered,
        deliveries_added=deliveries,
        truth_rows=truth_rows,
    )


def _deliver_app(
    world: duckdb.DuckDBPyConnection,
    settings: Settings,
    parameters: DemoParameters,
    wanted: tuple[date, date],
    progress: Progress,
) -> int:
    """Simulate and land the app's events month by month, so that memory holds one month."""
    first_night, last_night = parameters.first_night, wanted[1]
    deliveries = 0
    world.execute("create table out_wait as select * from out_app limit 0")
    for first_month, last_month, end in _groups_of_months(parameters, last_night):
        progress(f"app events of months {first_month + 1} to {last_month + 1}")
        needs_lines = end + _LONGEST_DELAY >= wanted[0] or wanted[0] == first_night
        simulate_app(world, parameters, (first_month, last_month), with_lines=needs_lines)
        make_mess(world, parameters, "out_app")
        world.execute("insert into out_wait select * from out_app where night <= ?", [last_night])
        world.execute("truncate out_app")
        if wanted[0] == first_night:
            deliveries += _deliver_waiting(
                world, settings, parameters, (first_night, first_night), min(end, first_night)
            )
        nights = (max(wanted[0], first_night + timedelta(days=1)), min(last_night, end))
        if nights[0] <= nights[1]:
            world.execute("delete from out_wait where night < ?", [nights[0]])
            deliveries += _deliver_waiting(world, settings, parameters, nights, None)
    return deliveries


def _groups_of_months(parameters: DemoParameters, last_night: date) -> list[tuple[int, int, date]]:
    """Months in groups that a small machine holds, as (first, last, end).

    The month before the first night begins a group, so that a later night simulates little.
    """
    size = max(1, _CUSTOMER_MONTHS // parameters.customers)
    groups: list[tuple[int, int, date]] = []
    for number, _, end, _, _ in parameters.cohorts(last_night):
        begins = not groups or number == HISTORY_MONTHS - 1
        if begins or groups[-1][1] - groups[-1][0] + 1 >= size:
            groups.append((number, number, end))
        else:
            groups[-1] = (groups[-1][0], number, end)
    return groups


def _deliver_waiting(
    world: duckdb.DuckDBPyConnection,
    settings: Settings,
    parameters: DemoParameters,
    nights: tuple[date, date],
    before: date | None,
) -> int:
    before_ms = int(datetime.combine(before, time(), UTC).timestamp()) * 1000 if before else None
    count = deliver_rows(
        world, settings, "out_wait", nights=nights, unordered=parameters.mess.unordered_rows,
        before_ms=before_ms, by_month=before is not None,
    )  # fmt: skip
    world.execute(
        "delete from out_wait where night <= ? and at_ms < ?", [nights[1], before_ms or 2**62]
    )
    return count


def _simulate_others(world: duckdb.DuckDBPyConnection, parameters: DemoParameters) -> None:
    simulate_crm(world)
    simulate_email(world, parameters)
    simulate_support(world)
    skip_missing_night(world, parameters)
    record_support_truth(world)
    simulate_surveys(world)
    make_mess(world, parameters, "out_row")
    skip_missing_night(world, parameters)


def _recall_broken(world: duckdb.DuckDBPyConnection, settings: Settings, from_night: date) -> None:
    """Take the broken rows of earlier nights from the truth; not all of them were made again."""
    world.execute("delete from broken where night < ?", [from_night])
    world.execute(
        f"""insert into broken select source, entity, null, night, fault, line
        from '{settings.truth}/broken.parquet'"""
    )


def _checked_start(start: date) -> date:
    if start.day > 28:
        raise JourneylineError(
            "The company cannot start after the 28th of a month.", f"--start {start}",
            "Give an earlier day.", EXIT_USAGE,
        )  # fmt: skip
    return start


def _silent(_: str) -> None:
    return None


def _parameters_path(settings: Settings) -> Path:
    return settings.truth / "company.json"


def _read_parameters(settings: Settings) -> tuple[DemoParameters, int]:
    loaded: dict[str, Any] = json.loads(_parameters_path(settings).read_text(encoding="utf-8"))
    return DemoParameters.from_json(loaded), int(loaded["nights"])


def _write_parameters(settings: Settings, parameters: DemoParameters, nights: int) -> None:
    path = _parameters_path(settings)
    temporary = path.with_suffix(".tmp")
    content = {**parameters.to_json(), "nights": nights}
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    temporary.rename(path)
