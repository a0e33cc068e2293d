"""The id ledger comes back from a release: a lost folder `identity/` costs nobody an id."""

from __future__ import annotations

import json
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
from orchestration.publish.identity_guard import allow_refold, end_refold
from orchestration.publish.identity_restore import restore
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


def lose(settings: Settings, how: str) -> Path:
    """Lose one file of the ledger, as a new file, so that the releases' link to it stands."""
    damaged = sorted((settings.identity / "ledger").glob("*.parquet"))[1]
    content = damaged.read_bytes()
    damaged.unlink()
    if how != "missing":
        damaged.write_bytes(content[:-7] if how == "truncated" else content[:-7] + b"altered")
    return damaged


@pytest.mark.parametrize("how", ["missing", "truncated", "altered"])
def test_a_run_is_refused_where_one_file_of_the_ledger_is(home: Settings, how: str) -> None:
    files = ledger_hashes(home)
    steps.prepare(home)
    damaged = lose(home, how)
    before = ledger_hashes(home)
    refused = CliRunner().invoke(journeyline, ["--home", str(home.home), "run"])
    assert isinstance(refused.exception, JourneylineError)
    assert "The id ledger is not whole" in str(refused.exception)
    assert refused.exception.exit_code == EXIT_USAGE
    assert refused.exception.where == str(damaged)
    assert "journeyline identity restore" in refused.exception.next_step
    assert ledger_hashes(home) == before
    assert restore(home).restored_files == 1
    assert ledger_hashes(home) == files
    steps.prepare(home)


def test_a_ledger_that_lost_a_file_is_made_anew_where_that_is_asked_for(home: Settings) -> None:
    lose(home, "truncated")
    left = {path.name for path in (home.identity / "ledger").iterdir()}
    allow_refold(home)
    steps.prepare(home)
    steps.resolve_ids(home)
    # what was left is kept aside, and the release's files that are no more are asked for no more
    assert {path.name for path in (home.identity / "ledger.lost-1").iterdir()} == left
    steps.prepare(home)
    # all the others are, and so are those that the new ledger shares with the release
    lose(home, "missing")
    with pytest.raises(JourneylineError, match="The id ledger is not whole"):
        steps.prepare(home)
    restore(home)
    steps.prepare(home)


def test_a_ledger_made_anew_with_other_bytes_is_not_asked_for_the_old_ones(
    home: Settings,
) -> None:
    other = sorted((home.identity / "ledger").glob("*.parquet"))[0]
    lose(home, "missing")
    allow_refold(home)
    # as rules of today would fold it: one instant, with other bytes
    (home.identity / "ledger").mkdir()
    content = (home.identity / "ledger.lost-1" / other.name).read_bytes()
    other.write_bytes(content + b"other")
    end_refold(home)
    steps.prepare(home)
    assert (home.identity / "given_up").read_text(encoding="utf-8").count("\n") >= 4
    # a person may still go back to what the release holds
    assert restore(home, home.current.resolve().name).restored_files >= 4
    assert not (home.identity / "given_up").exists()
    steps.prepare(home)


def test_a_whole_ledger_is_not_made_anew(home: Settings) -> None:
    files = ledger_hashes(home)
    allow_refold(home)
    assert ledger_hashes(home) == files


def test_instants_that_no_release_holds_yet_stay_where_an_older_file_is_put_back(
    home: Settings,
) -> None:
    known = min((home.identity / "ledger").glob("*.parquet"))
    later = known.with_name("2099-01-01T000000.000000Z.parquet")
    shutil.copy(known, later)
    steps.prepare(home)
    files = ledger_hashes(home)
    lose(home, "missing")
    assert restore(home).restored_files == 1
    assert ledger_hashes(home) == files


def test_a_return_to_an_older_release_gives_up_what_newer_ones_hold(home: Settings) -> None:
    current = home.current.resolve()
    older = home.releases / f"0{current.name}"
    shutil.copytree(current, older)
    for folder in (older, older / "identity", older / LEDGER):
        folder.chmod(0o755)
    content = json.loads((older / "manifest.json").read_text(encoding="utf-8"))
    last = max(name for name in content["files"] if name.startswith(f"{LEDGER}/"))
    del content["files"][last]
    (older / last).unlink()
    (older / "manifest.json").unlink()
    (older / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    shutil.rmtree(home.identity / "ledger")
    restore(home, older.name)
    assert not (home.identity / "ledger" / Path(last).name).exists()
    steps.prepare(home)
    # without a name it is the release that holds most of what is asked for
    (home.identity / "given_up").unlink()
    assert restore(home).release_id == current.name


def test_a_home_without_releases_begins_its_ledger(home: Settings) -> None:
    shutil.rmtree(home.identity)
    shutil.rmtree(home.releases)
    steps.prepare(home)
    steps.resolve_ids(home)
    assert ledger_hashes(home)


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
    release = home.current.resolve()
    newest = shutil.copytree(release, home.releases / f"z{release.name}")
    with pytest.raises(JourneylineError, match=r"1 instants that release .* does not"):
        restore(home, release.name)
    # nor does the newest backup take away what it does not know between its own instants
    shutil.copy(known, known.with_name(f"{known.stem}-more.parquet"))
    with pytest.raises(JourneylineError, match=r"1 instants that release .* does not"):
        restore(home, newest.name)
    known.with_name(f"{known.stem}-more.parquet").unlink()
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
