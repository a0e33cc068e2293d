"""The KPI and journey files: proved at load, with errors that say where and what."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import date, datetime
from pathlib import Path

import pytest

from orchestration import warehouse
from orchestration.company import load_company
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.sources import load_sources
from orchestration.journey.definitions import load_journeys
from orchestration.measure.config_tables import config_rows, counted_from, write_config_tables
from orchestration.measure.definitions import KNOWN_KPIS, load_kpis
from orchestration.settings import REPO_ROOT, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project with a copy of the configuration, and an empty home."""
    shutil.copytree(REPO_ROOT / "orchestration/config", tmp_path / "project/orchestration/config")
    home = tmp_path / "home"
    home.mkdir()
    return Settings(home=home, repo_root=tmp_path / "project")


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_every_kpi_that_is_counted_is_defined(settings: Settings) -> None:
    assert {kpi.kpi for kpi in load_kpis(settings)} == set(KNOWN_KPIS)


def test_trial_to_paid_reads_as_written(settings: Settings) -> None:
    (journey,) = load_journeys(settings)
    assert (journey.journey, journey.deadline_days, journey.goal_stage) == (
        "trial_to_paid",
        30,
        "paid",
    )
    assert [(stage.stage, stage.nth) for stage in journey.stages] == [
        ("trial", 1),
        ("activated", 3),
        ("checkout", 1),
        ("paid", 1),
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("deadline_days: 30", "deadline_days: 0", 7, "deadline_days"),
        ("goal_stage: paid", "goal_stage: payed", 1, "is none of trial, activated"),
        ("nth: 3", "nth: third", 15, "stages.1.nth"),
        ("- stage: checkout", "- stage: trial", 1, "listed twice"),
        ("entry_touchpoint_type: trial_started", "entry_touchpoint_type: x", 1, "first stage"),
    ],
)
def test_a_wrong_journey_names_line_and_field(
    settings: Settings, old: str, new: str, line: int, message: str
) -> None:
    path = settings.config / "journeys/trial_to_paid.yml"
    _edit(path, old, new)
    with pytest.raises(JourneylineError) as caught:
        load_journeys(settings)
    assert message in caught.value.what
    assert caught.value.where == f"{path}:{line}"
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kpi: nps", "kpi: npx", "is none of trial_conversion_share"),
        ('target: "0.30"', 'target: "30"', "between 0 and 1"),
        ('{minimum: "0", maximum: "30"}', '{minimum: "31", maximum: "30"}', "above maximum"),
        ("kpi: activation_share", "kpi: trial_conversion_share", "listed twice"),
        ("direction: up", "direction: sideways", "kpis.0.direction"),
    ],
)
def test_a_wrong_kpi_is_refused(settings: Settings, old: str, new: str, message: str) -> None:
    _edit(settings.config / "kpis.yml", old, new)
    with pytest.raises(JourneylineError) as caught:
        load_kpis(settings)
    assert message in caught.value.what
    assert "kpis.yml:" in caught.value.where


def test_broken_yaml_names_its_line(settings: Settings) -> None:
    _edit(settings.config / "kpis.yml", "kpis:\n", "kpis: [\n")
    with pytest.raises(JourneylineError, match="is no YAML"):
        load_kpis(settings)


def test_tables_hold_what_the_files_say(settings: Settings) -> None:
    write_config_tables(settings)
    write_config_tables(settings)
    expected = config_rows(load_kpis(settings), load_journeys(settings), load_company(settings))
    connection = warehouse.connect(settings.warehouse, read_only=True)
    for name, rows in expected.items():
        found = connection.execute(f"select * from config.{name}").fetchall()
        assert sorted(map(str, rows)) != [] and len(found) == len(rows)
    connection.close()


def test_a_wrong_file_leaves_the_tables_alone(settings: Settings) -> None:
    write_config_tables(settings)
    (settings.config / "kpis.yml").unlink()
    with pytest.raises(JourneylineError, match="missing"):
        write_config_tables(dataclasses.replace(settings))
    connection = warehouse.connect(settings.warehouse, read_only=True)
    assert connection.execute("select count(*) from config.kpis").fetchone() == (len(KNOWN_KPIS),)
    connection.close()


@pytest.mark.parametrize(
    ("zone", "first"),
    [("UTC", date(2025, 3, 1)), ("America/New_York", date(2025, 3, 1)),
     ("Europe/Berlin", date(2025, 3, 2))],
)  # fmt: skip
def test_a_kpi_counts_from_the_first_whole_day_after_the_horizon_of_what_it_counts(
    settings: Settings, zone: str, first: date
) -> None:
    kpis = load_kpis(settings)
    horizons = {"survey": datetime(2025, 1, 1), "support": datetime(2025, 3, 1)}
    since = counted_from(kpis, horizons, zone)
    assert since["first_response_hours"] == since["csat_share"] == first
    assert since["nps"].month == 1
    assert set(since) == {"first_response_hours", "csat_share", "nps"}
    everything = [kpi.model_copy(update={"kinds": ()}) for kpi in kpis]
    assert set(counted_from(everything, horizons, zone).values()) == {first}
    assert counted_from(everything, {}, zone) == {}


def test_the_kinds_of_a_kpi_are_those_of_sources(settings: Settings) -> None:
    known = {source.kind for source in load_sources(Settings(home=REPO_ROOT)).values()}
    assert {kind for kpi in load_kpis(settings) for kind in kpi.kinds} <= known
