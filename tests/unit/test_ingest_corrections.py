"""Rows that a person corrects: a delivery of their own, and the broken ones discarded."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from ingest_home import FIRST, ask, group, land, lines

from orchestration.cli.main import _run
from orchestration.errors import JourneylineError
from orchestration.ingest.acts import acts_path, read_acts
from orchestration.ingest.corrections import correct_quarantine
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings

LEDGER = """select status, landed_count, accepted_count, quarantined_count, duplicate_count
    from ingest.deliveries order by received_at, delivery_id"""
STATE = "select row_number, rule, state from ingest.quarantine_rows order by row_number"
RAW = """select group_id, name, created_at, _received_at from raw.zendesk__groups
    order by group_id"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home in which two of a hundred groups are broken."""
    found = Settings(home=tmp_path / "home")
    rows = [
        group(n, updated_at="soon" if n in (7, 9) else "2025-01-02T00:00:00Z") for n in range(99)
    ]
    land(found, "zendesk/groups", lines(rows), FIRST)
    assert load_deliveries(found, None).quarantined == 2
    return found


def corrected(folder: Path, *numbers: int, **changes: object) -> Path:
    file = folder / "corrected.ndjson"
    file.write_text(lines([group(n, **changes) for n in numbers]))
    return file


def test_a_corrected_row_is_taken_and_the_broken_one_discarded_with_who_and_why(
    settings: Settings, tmp_path: Path
) -> None:
    file = corrected(tmp_path, 7, 9)
    done = correct_quarantine(settings, "zendesk/groups", file, None, "Ann", "the desk says so")
    assert done.row_count == 2
    report = load_deliveries(settings, None)
    assert (report.accepted, report.duplicates) == (2, 0)
    assert ask(settings, LEDGER) == [("loaded", 99, 97, 2, 0), ("loaded", 2, 2, 0, 0)]
    assert {state for _, _, state in ask(settings, STATE)} == {"discarded"}
    taken = ask(settings, f"select * from ({RAW}) where group_id in ('7', '9')")
    # It keeps its own time and is known from the correction on.
    assert taken == [
        (number, f"Group {number}", datetime(2025, 1, 1), done.at) for number in ("7", "9")
    ]
    (act,) = read_acts(settings)
    assert act.reason is not None and act.reason.startswith("Ann: the desk says so (delivered as ")
    before = [ask(settings, query) for query in (LEDGER, STATE, RAW)]
    settings.warehouse.unlink()
    load_deliveries(settings, None)
    assert [ask(settings, query) for query in (LEDGER, STATE, RAW)] == before


@pytest.mark.parametrize(
    ("numbers", "changes", "said"),
    [
        ((7,), {}, "holds 1 rows and stands for 2"),
        ((7, 9), {"created_at": "later"}, "Row 1 breaks the contract: wrong_type, created_at"),
    ],
)
def test_a_correction_that_is_none_keeps_nothing(
    settings: Settings, tmp_path: Path, numbers: tuple[int, ...], changes: dict, said: str
) -> None:
    file = corrected(tmp_path, *numbers, **changes)
    with pytest.raises(JourneylineError, match=said) as raised:
        correct_quarantine(settings, "zendesk/groups", file, None, "Ann", "a guess")
    assert raised.value.exit_code == 2
    assert not acts_path(settings).exists()
    assert len(list(settings.landing.glob("*/*/*"))) == 1


def test_a_file_in_another_format_is_refused(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "corrected.csv"
    file.write_text("id,name\n7,Group\n9,Group\n")
    with pytest.raises(JourneylineError, match="not ndjson"):
        correct_quarantine(settings, "zendesk/groups", file, None, "Ann", "a guess")


def test_the_command_asks_for_a_reason_and_tells_what_it_did(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = corrected(tmp_path, 7, 9)
    command = ["--home", str(settings.home), "quarantine", "correct", "zendesk/groups", str(file)]
    assert _run([*command, "--by", "Ann"]) == 2
    capsys.readouterr()
    assert _run([*command, "--by", "Ann", "--reason", "the desk says so", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["act"], told["row_count"]) == ("corrected", 2)
