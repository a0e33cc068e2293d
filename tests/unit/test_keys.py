"""Keys, the keyed hash and its SQL twin, the writer's lock, the state's format."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestration import keys, warehouse
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.format import FORMAT, check_format
from orchestration.settings import Settings


def test_a_key_is_made_once_readable_by_its_owner_alone_and_kept(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = keys.pseudonym_key(settings)
    assert keys.pseudonym_key(settings) == first
    assert (tmp_path / "keys" / "pseudonym.key").stat().st_mode & 0o777 == 0o600
    assert keys.ledger_key(settings) != first


@pytest.mark.parametrize("lost", ["pseudonym.key", "ledger.key"])
def test_a_key_that_went_missing_is_an_error_and_never_a_new_key(tmp_path: Path, lost: str) -> None:
    settings = Settings(home=tmp_path)
    keys.pseudonym_key(settings)
    keys.ledger_key(settings)
    (tmp_path / "identity" / "ledger").mkdir(parents=True)
    (tmp_path / "identity" / "ledger" / "2025.parquet").touch()
    (tmp_path / "keys" / lost).unlink()
    read = keys.pseudonym_key if lost == "pseudonym.key" else keys.ledger_key
    with pytest.raises(JourneylineError, match="missing") as caught:
        read(settings)
    assert caught.value.exit_code == EXIT_USAGE
    assert not (tmp_path / "keys" / lost).exists()


def test_a_short_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, pseudonym_key="short-secret")
    with pytest.raises(JourneylineError) as caught:
        keys.pseudonym_key(settings)
    assert "short-secret" not in str(caught.value)


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.text(max_size=80), st.binary(min_size=32, max_size=100))
def test_sql_and_python_make_the_same_pseudonym(value: str, key: bytes) -> None:
    value = value.replace("\0", "")
    inner, outer = keys.hmac_blocks(key)
    with warehouse.connect(":memory:") as connection:
        row = connection.execute(
            "select left(sha256(?::blob || unhex(sha256(?::blob || encode(?)))), 32)",
            [outer, inner, value],
        ).fetchone()
    assert row == (keys.pseudonym(key, value),)


def test_a_home_written_by_newer_code_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    check_format(settings)
    check_format(settings)
    (tmp_path / "format.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(JourneylineError, match="newer version") as caught:
        check_format(settings)
    assert caught.value.exit_code == EXIT_USAGE


_HOLD = """
import sys, time
from pathlib import Path
from orchestration import warehouse
from orchestration.settings import Settings
with warehouse.writer_lock(Settings(home=Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_told_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(JourneylineError, match=str(holder.pid)),
        warehouse.writer_lock(settings, wait=False),
    ):
        pass
    holder.kill()
    holder.wait()
    with warehouse.writer_lock(settings, wait=False):
        pass
