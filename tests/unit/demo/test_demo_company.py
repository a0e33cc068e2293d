"""The demo company: equal bytes, planted rates, and a truth that follows the rules it states."""

from __future__ import annotations

import gzip
import json
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from demo_rows import landed, rows_of

from orchestration.demo.company import build_company, deliver_next_night, is_demo_home
from orchestration.demo.parameters import DemoParameters, Mess
from orchestration.errors import JourneylineError
from orchestration.settings import Settings


def test_equal_seeds_give_equal_bytes_and_later_nights_leave_earlier_ones_alone(
    tmp_path: Path,
) -> None:
    once, grown = Settings(home=tmp_path / "once"), Settings(home=tmp_path / "grown")
    build_company(once, customers=200, nights=3)
    build_company(grown, customers=200, nights=1)
    first = landed(grown.home)
    assert deliver_next_night(grown) == date(2025, 7, 3)
    report = build_company(grown, customers=200, nights=3)
    assert report.last_night == date(2025, 7, 4)
    assert first.items() <= landed(grown.home).items()
    assert landed(grown.home) == landed(once.home)
    for path in once.truth.glob("*.parquet"):
        assert path.read_bytes() == (grown.truth / path.name).read_bytes(), path.name


def test_a_home_keeps_its_company(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(JourneylineError, match="no demo company"):
        deliver_next_night(settings)
    build_company(settings, customers=200, nights=1, seed=3)
    assert is_demo_home(settings)
    assert build_company(settings, customers=200, nights=1, seed=3).deliveries_added == 0
    with pytest.raises(JourneylineError, match="another demo company"):
        build_company(settings, customers=200, nights=1, seed=4)


def test_history_comes_in_the_first_night_and_every_manifest_counts_its_rows(home: Path) -> None:
    manifests = [json.loads(p.read_text()) for p in (home / "landing").glob("*/*/*/manifest.json")]
    nights = sorted({manifest["received_at"][:10] for manifest in manifests})
    assert nights == [str(date(2025, 7, 1) + timedelta(days=n)) for n in range(21)]
    for manifest in manifests:
        (file,) = manifest["files"]
        folder = home / "landing" / manifest["source"] / manifest["entity"]
        raw = (folder / manifest["delivery_id"] / file["name"]).read_bytes()
        text = gzip.decompress(raw) if file["name"].endswith(".gz") else raw
        header = 1 if ".csv" in file["name"] else 0
        assert len(text.splitlines()) - header == file["rows"]
        assert manifest["received_at"].endswith("T02:00:00Z")


def test_planted_stages_are_what_the_rules_give_on_the_landed_events(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    owner = dict(
        truth.execute(
            "select record_id, person_id from records where source = 'segment'"
        ).fetchall()
    )
    as_of = date(2025, 7, 22).isoformat()
    times: dict[str, dict[str, set[str]]] = {}
    for event in rows_of(home, "segment", "events"):
        if event["type"] == "track" and event["userId"] in owner and event["messageId"]:
            if event["originalTimestamp"] == "soon":
                continue
            person = times.setdefault(owner[event["userId"]], {})
            person.setdefault(event["event"], set()).add(event["timestamp"])
    expected = {
        (person, stage, at)
        for person, names in times.items()
        for stage, at in stages_of(names, as_of)
    }
    found = set(
        truth.execute(
            """select person_id, stage, strftime(entered_at, '%Y-%m-%dT%H:%M:%S.%gZ')
            from stage_visits"""
        ).fetchall()
    )
    assert found == expected
    assert len({stage for _, stage, _ in found}) == 4


def stages_of(names: dict[str, set[str]], as_of: str) -> list[tuple[str, str]]:
    """The stages that `trial_to_paid` gives to one person's events (ISO texts sort as times)."""
    if "Trial Started" not in names:
        return []
    start = min(names["Trial Started"])
    day = date.fromisoformat(start[:10]) + timedelta(days=30)
    deadline = day.isoformat() + start[10:]

    def later(name: str, nth: int) -> str | None:
        after = sorted(at for at in names.get(name, ()) if at >= start)
        return after[nth - 1] if len(after) >= nth and after[nth - 1] < deadline else None

    paid = later("Subscription Started", 1)
    steps = [
        ("trial", start),
        ("activated", later("Feature Used", 3)),
        ("checkout", later("Checkout Started", 1)),
        ("paid", paid),
    ]
    return [(s, at) for s, at in steps if at is not None and (paid is None or at <= paid)]


def test_every_event_of_the_truth_was_landed_and_none_twice(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    ids = {
        f"{e['messageId']}|{e['type']}|{e['event'] or e['name'] or ''}"
        for e in rows_of(home, "segment", "events")
        if e["type"] in ("track", "page", "screen") and e["messageId"]
    }
    planted = [
        row[0]
        for row in truth.execute("select event_id from events where source = 'segment'").fetchall()
    ]
    assert len(planted) == len(set(planted))
    assert set(planted) == ids


@pytest.mark.parametrize("seed", [1, 2])
def test_every_seed_makes_a_company_from_200_customers_and_one_night(
    tmp_path: Path, seed: int
) -> None:
    report = build_company(Settings(home=tmp_path), customers=200, nights=1, seed=seed)
    assert report.truth_rows["persons"] >= 195
    assert report.truth_rows["stage_visits"] > 100


def test_people_who_arrived_in_the_history_are_as_many_as_asked() -> None:
    parameters = DemoParameters(seed=1, customers=5000, start=date(2024, 1, 1), mess=Mess())
    cohorts = parameters.cohorts(date(2025, 8, 15))
    assert sum(persons for *_, persons in cohorts[:18]) == 5000
    assert [persons for *_, persons in cohorts[18:]] == [100, 100]
