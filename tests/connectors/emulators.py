"""Storages of Azure and of Google that run here: Azurite, and an emulator of Google's.

They and the libraries that speak with them stand in a folder of their own, since the project does
without; `python tests/connectors/emulators.py` fills it, and so does the first test that needs it.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[2]
FOLDER = REPO_ROOT / ".emulators"
REASON = "no package registry has the emulators of Azure's and Google's storage"
# MIT; BSD-3-Clause, BSD-3-Clause and BSD-3-Clause.
AZURITE = "azurite@3.37.0"
PYTHON = ("adlfs==2026.8.0", "gcsfs==2026.10.1", "gcp-storage-emulator==2026.7.19")
STARTER = FOLDER / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
_DONE = "done.txt"


def installed_emulators() -> Path | None:
    """The folder with the Python packages, under it Azurite; None where they cannot be had."""
    FOLDER.mkdir(exist_ok=True)
    wanted = "\n".join([AZURITE, *PYTHON])
    done = FOLDER / _DONE
    with (FOLDER / "lock").open("w") as lock:
        # Two workers may come at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_text() != wanted:
            if not _install():
                return None
            done.write_text(wanted)
    return FOLDER / "python"


def _install() -> bool:
    if shutil.which("npm") is None or shutil.which("node") is None:
        return False
    shutil.rmtree(FOLDER / "python", ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(FOLDER / "python")]
    pinned = ["--constraint", str(REPO_ROOT / "requirements-dev.txt")]
    npm = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(FOLDER), AZURITE]
    return all(
        subprocess.run(command, check=False, capture_output=True).returncode == 0
        for command in ([*pip, *pinned, *PYTHON], npm)
    )


if __name__ == "__main__":
    sys.exit(installed_emulators() is None and f"{REASON}, or npm is missing")
