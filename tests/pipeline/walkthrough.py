"""Follows a page of the docs literally: writes the blocks it names, types its commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from orchestration.settings import REPO_ROOT

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LEFT_OUT = (".venv", "var", ".git", ".*_cache", "__pycache__", "*.egg-info", "target", "logs")


def copy_tree(target: Path) -> Path:
    """A copy of the project with the environment of these tests as its `.venv`."""
    shutil.copytree(REPO_ROOT, target, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    (target / ".venv").symlink_to(sys.prefix)
    return target


def follow(page: str, root: Path) -> list[str]:
    """Write and type everything that the page says, in its order; returns the commands typed.

    Args:
        page: The page's name in docs/.
        root: The copy of the tree to follow it in.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JOURNEYLINE_")}
    environment |= {"PYTHONPATH": str(root), "DAGSTER_HOME": ""}
    typed = []
    for language, told, text in _BLOCK.findall((root / "docs" / page).read_text("utf-8")):
        action, _, name = told.strip().partition("=")
        if action == "file":
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, "utf-8")
        elif action == "append":
            with (root / name).open("a", encoding="utf-8") as file:
                file.write(text)
        elif language == "sh":
            for command in text.splitlines():
                done = subprocess.run(
                    command, shell=True, cwd=root, env=environment, capture_output=True, text=True
                )
                assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
                typed.append(command)
    return typed
