"""However the same rows are split, ordered and repeated, the raw tables end up the same."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from ingest_home import FIRST, activity, ask, group, land, lines

from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings

GROUPS: list[dict[str, object] | str] = [
    group(1),
    group(1, name="Renamed", updated_at="2025-01-05T00:00:00Z"),
    group(1, name="Renamed at the same time", updated_at="2025-01-05T00:00:00Z"),
    group(2, name=None),
    group(3),
    '{"id": "4", ',
]
ACTIVITY: list[dict[str, object] | str] = [
    activity(1),
    activity(1, action="click", url="/a"),
    activity(1, action="click", url="/b"),
    activity(2),
    activity(3, action="viewed"),
]
SUFFIXES = (".ndjson", ".ndjson.gz", ".ndjson.zst")
SPLITS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.lists(st.integers(0, len(GROUPS) + len(ACTIVITY) - 1), min_size=1, max_size=12),
        st.booleans(),
    ),
    max_size=5,
)


def raw(settings: Settings) -> dict[str, list[tuple]]:
    return {
        table: ask(
            settings,
            f"select columns(c -> c not like '\\_%' escape '\\') from raw.{table} order by all",
        )
        for table in ("zendesk__groups", "mailchimp__email_activity")
    }


def deliver(settings: Settings, night: int, places: list[int]) -> None:
    at = FIRST + timedelta(days=night)
    for table, rows, offset in (
        ("zendesk/groups", GROUPS, 0),
        ("mailchimp/email_activity", ACTIVITY, len(GROUPS)),
    ):
        chosen = [rows[p - offset] for p in places if offset <= p < offset + len(rows)]
        if chosen:
            land(settings, table, lines(chosen), at, suffix=SUFFIXES[night % len(SUFFIXES)])


@given(splits=SPLITS)
@hypothesis_settings(max_examples=8, deadline=None, derandomize=True)
def test_any_split_order_and_repetition_gives_the_same_rows(
    splits: list[tuple[int, list[int], bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = Settings(home=Path(folder) / "whole")
        deliver(whole, 0, list(range(len(GROUPS) + len(ACTIVITY))))
        load_deliveries(whole, None)
        parts = Settings(home=Path(folder) / "parts")
        for night, places, is_loaded_now in splits:
            deliver(parts, night, places)
            if is_loaded_now:
                load_deliveries(parts, None)
        taken = {place for _, places, _ in splits for place in places}
        rest = sorted(set(range(len(GROUPS) + len(ACTIVITY))) - taken, reverse=True)
        deliver(parts, 4, rest)
        load_deliveries(parts, None)
        assert raw(parts) == raw(whole)
        assert ask(
            parts,
            "select count(*) from ingest.deliveries where landed_count"
            " != accepted_count + quarantined_count + duplicate_count",
        ) == [(0,)]
