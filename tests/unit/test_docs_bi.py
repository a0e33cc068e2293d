"""The lines of docs/bi that are said to be tried are tried: before, between and after flips."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import publishing
import pytest

from orchestration.publish.publisher import publish
from orchestration.settings import REPO_ROOT, Settings

TEXT = (REPO_ROOT / "docs" / "bi" / "README.md").read_text(encoding="utf-8")
SECTIONS = {
    section.splitlines()[0]: section for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
}
BLOCKS = {
    title: block
    for title, section in SECTIONS.items()
    for block in re.findall(r"```python\n(.*?)```", section, re.DOTALL)
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = publishing.make_home(tmp_path_factory.mktemp("bi"))
    publish(home, "run-1")
    return home


def run(block: str, settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(block.replace("var/current", str(settings.current)), found)
    return found


def test_every_python_block_is_in_a_section_that_says_it_was_tried() -> None:
    assert len(BLOCKS) == 3
    assert all(title.endswith("(tried)") for title in BLOCKS)
    assert all("(tried)" in title or "(not tried here)" in title for title in SECTIONS)


@pytest.mark.parametrize("title", BLOCKS)
def test_the_lines_work_and_see_the_new_release_after_a_flip(
    settings: Settings, tmp_path: Path, title: str
) -> None:
    home = publishing.copy_home(settings, tmp_path)
    seen = []
    for number in range(1, 3):
        found = run(BLOCKS[title], home)
        if "release" in found:
            release = found["release"]
            seen.append(release if isinstance(release, str) else release[0])
        else:
            assert found["counts"] == ((299 + number,), (20,))
            seen.append(found["pinned"].name)
        assert seen[-1] == home.current.resolve().name
        publishing.add_night(home, number)
        publish(home, f"night-{number}")
    assert len(set(seen)) == 2
