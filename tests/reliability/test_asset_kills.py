"""Nightly runs killed with -9 where one asset ends and the next begins."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dying_run
import pytest
from document import Document

from orchestration import warehouse
from orchestration.demo.company import build_company
from orchestration.publish import journal
from orchestration.publish.releases import list_releases, verify_release
from orchestration.settings import REPO_ROOT, Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(6 * 3600)]

CUSTOMERS = 200
NIGHTS = 2
SAMPLE = 4
STATE = ("landing", "truth", "keys", "format.json")
PROOF = "Nightly runs killed with -9 after an asset was materialized"


@dataclass(frozen=True)
class Undisturbed:
    """A home whose run was left alone, and its assets in their order."""

    settings: Settings
    assets: list[str]


def run(settings: Settings, asset: str | None = None) -> tuple[int, list[str]]:
    """`journeyline run --no-wait`; its exit code, and the assets if it lived."""
    file = settings.home.with_suffix(".assets")
    done = subprocess.run(
        [sys.executable, dying_run.__file__, str(settings.home), str(file), *filter(None, [asset])],
        cwd=REPO_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode, json.loads(file.read_text()) if done.returncode == 0 else []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    settings = Settings(home=tmp_path_factory.mktemp("undisturbed") / "home")
    build_company(settings, customers=CUSTOMERS, nights=NIGHTS, seed=7)
    _, assets = run(settings)
    assert len(assets) > 20
    return Undisturbed(settings, assets)


def landed(undisturbed: Undisturbed, home: Path) -> Settings:
    """The same deliveries and keys, in which nothing has run."""
    home.mkdir(parents=True)
    for name in STATE:
        source = undisturbed.settings.home / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, home / name)
    return Settings(home=home)


def outcome(settings: Settings) -> dict[str, Any]:
    """Bytes of what is published and of the ledger, and every delivery's account."""
    release = settings.current.resolve()
    folders = (release / "parquet", settings.home / "identity")
    with closing(warehouse.connect(release / "journeyline.duckdb", read_only=True)) as connection:
        inputs = connection.execute("select * from _inputs order by all").fetchall()
    return {
        "inputs": inputs,
        "bytes": {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }


def converge(undisturbed: Undisturbed, home: Path, killed_after: Sequence[str]) -> None:
    """Kill one run after the other in one home, then let one live."""
    settings = landed(undisturbed, home)
    for asset in killed_after:
        assert run(settings, asset)[0] == -signal.SIGKILL, asset
    assert run(settings)[0] == 0
    assert outcome(settings) == outcome(undisturbed.settings)
    assert [act["act"] for act in journal.carried_out(settings)] == ["publish"]
    assert len(list_releases(settings)) == 1
    verify_release(settings)
    left = [path.name for path in settings.home.glob(".*") if path.name != ".writer.lock"]
    assert left == []
    assert not (settings.releases / ".staging").exists()
    shutil.rmtree(home / "dagster", ignore_errors=True)


def test_runs_killed_after_one_asset_and_another_converge_to_the_same_bytes(
    undisturbed: Undisturbed, tmp_path: Path, document: Document
) -> None:
    count = len(undisturbed.assets)
    places = sorted({count * n // (SAMPLE - 1) for n in range(SAMPLE - 1)} | {count - 1})
    converge(undisturbed, tmp_path / "home", [undisturbed.assets[place] for place in places])
    document.add(
        f"{PROOF}, {SAMPLE} of them one after the other in one home",
        f"{len(places)} killed among {count} assets; the next run made the same bytes, nothing "
        "twice, no lock to remove",
    )


@pytest.mark.long
def test_a_run_killed_after_any_asset_converges_to_the_same_bytes(
    undisturbed: Undisturbed, tmp_path: Path, document: Document
) -> None:
    for number, asset in enumerate(undisturbed.assets):
        converge(undisturbed, tmp_path / str(number), [asset])
    document.add(
        f"{PROOF}, each in a home of its own",
        f"{len(undisturbed.assets)} killed; the next run made the same bytes, nothing twice, no "
        "lock to remove",
    )
