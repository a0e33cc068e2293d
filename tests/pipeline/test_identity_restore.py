"""The id ledger comes back from a release: a lost folder `identity/` costs nobody an id."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from built_company import Built, copy_home, ledger_hashes
from click.testing import CliRunner

from orchestration.cli.main import journeyline
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.pipeline import steps
from orchestration.privacy.handles import append_tombstone, read_tombstones, tombstones_path
from orchestration.publish.identity_backup import LEDGER, back_up_tombstones
from orchestration.publish.identity_restore import allow_refold, restore
from orchestration.publish.releases import verify_release
from orchestration.settings import Settings

PARTS = ("keys", "identity", "releases", "warehouse.duckdb")


@pytest.fixture
def home(built: Built, tmp_path: Path) -> Settings:
    """A copy of the built home, as far as identity and releases go."""
    return copy_home(built.settings, tmp_path / "home", PARTS)


def ids_of(settings: Settings) -> list[tuple[str, str]]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(
            "select record_key, customer_id from identity.customer_records order by all"
        ).fetchall()


def test_a_lost_ledger_restored_gives_the_same_ids(home: Settings) -> None:
    files, ids = ledger_hashes(home), ids_of(home)
    assert len(files) >= 4
    shutil.rmtree(home.identity)
    done = CliRunner().invoke(journeyline, ["--home", str(home.home), "identity", "restore"])
    assert done.exit_code == 0, done.output
    assert f"{len(files)} of {len(files)} files" in done.output
    assert ledger_hashes(home) == files
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute("drop schema identity cascade")
    report = steps.resolve_ids(home)
    assert (report.created, report.merged, report.split) == (0, 0, 0)
    assert ids_of(home) == ids
    assert ledger_hashes(home) == files


def test_a_run_without_its_ledger_is_refused_while_a_release_holds_it(home: Settings) -> None:
    shutil.rmtree(home.identity)
    refused = CliRunner().invoke(journeyline, ["--home", str(home.home), "run"])
    assert isinstance(refused.exception, JourneylineError)
    assert refused.exception.exit_code == EXIT_USAGE
    assert "journeyline identity restore" in refused.exception.next_step
    assert "--refold-identity" in refused.exception.next_step
    assert not home.identity.exists()
    # one that was asked for goes on until the ledger stands, and is refused again after that
    allow_refold(home)
    steps.prepare(home)
    steps.resolve_ids(home)
    assert ledger_hashes(home)
    shutil.rmtree(home.identity / "ledger")
    with pytest.raises(JourneylineError, match="The id ledger is missing"):
        steps.prepare(home)


def test_a_home_without_releases_begins_its_ledger(home: Settings) -> None:
    shutil.rmtree(home.identity)
    shutil.rmtree(home.releases)
    steps.prepare(home)
    steps.resolve_ids(home)
    assert ledger_hashes(home)


def test_a_damaged_file_of_the_ledger_is_put_back(home: Settings) -> None:
    files = ledger_hashes(home)
    damaged = min((home.identity / "ledger").glob("*.parquet"))
    damaged.unlink()
    damaged.write_bytes(b"torn")
    assert restore(home).restored_files == 1
    assert ledger_hashes(home) == files


def test_the_backup_is_part_of_what_a_release_proves(home: Settings) -> None:
    assert verify_release(home).release_id == home.current.resolve().name
    folder = home.current.resolve() / LEDGER
    folder.chmod(0o755)
    kept = min(folder.glob("*.parquet"))
    kept.unlink()
    with pytest.raises(JourneylineError, match="is missing"):
        verify_release(home)
    shutil.rmtree(home.identity)
    with pytest.raises(JourneylineError, match="is not what was published"):
        restore(home)
    assert not list(home.identity.glob("ledger/*.parquet"))


def test_a_release_never_takes_later_ids_away(home: Settings) -> None:
    known = min((home.identity / "ledger").glob("*.parquet"))
    shutil.copy(known, known.with_name("2099-01-01T000000.000000Z.parquet"))
    files = ledger_hashes(home)
    with pytest.raises(JourneylineError, match=r"1 instants that release .* does not"):
        restore(home)
    assert ledger_hashes(home) == files


def test_an_erasure_is_remembered_by_every_kept_release(home: Settings) -> None:
    append_tombstone(home, "e1", "2025-07-07T00:00:00Z", ["a" * 32])
    release = home.current.resolve()
    for folder in (release, release / "identity"):
        folder.chmod(0o755)
    back_up_tombstones(home, release)
    append_tombstone(home, "e2", "2025-07-08T00:00:00Z", ["b" * 32])
    assert restore(home).tombstones == 2
    assert read_tombstones(home) == {"a" * 32, "b" * 32}
    tombstones_path(home).unlink()
    assert restore(home).tombstones == 1
    assert read_tombstones(home) == {"a" * 32}
