"""What the pages name is there: files they link to, commands and targets they tell to type."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from orchestration.cli.main import journeyline
from orchestration.settings import REPO_ROOT

PAGES = [REPO_ROOT / "README.md", *sorted((REPO_ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]+)?\)")
_COMMAND = re.compile(r"(?:^|`|\| )journeyline ((?:[a-z-]+[ `\n])+)", re.MULTILINE)
_TARGET = re.compile(r"(?:^|`)make ([a-z-]+)", re.MULTILINE)


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 _-]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        linked = page.parent / target
        assert linked.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor[1:] in {_anchor(heading) for heading in headings}, f"{target}{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for words in _COMMAND.findall(text):
        first, *others = words.strip("`\n ").split()
        command = journeyline.get_command(click.Context(journeyline), first)
        assert command is not None, f"{page.name}: journeyline {first}"
        if isinstance(command, click.Group) and others:
            found = command.get_command(click.Context(command), others[0])
            assert found is not None, f"{page.name}: journeyline {first} {others[0]}"
    targets = set(re.findall(r"^([a-z-]+):", (REPO_ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(_TARGET.findall(text)) <= targets
