"""The commands on releases, typed as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import publishing
import pytest

from orchestration.cli.main import main
from orchestration.publish.publisher import publish
from orchestration.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    home = publishing.make_home(tmp_path)
    publish(home, "run-1")
    publishing.add_night(home)
    publish(home, "run-2")
    monkeypatch.setenv("JOURNEYLINE_PROJECT", str(home.repo_root))
    monkeypatch.setenv("JOURNEYLINE_HOME", str(home.home))
    return home


@pytest.fixture
def call(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def called(*arguments: str, exit_code: int = 0) -> Any:
        with pytest.raises(SystemExit) as ended:
            main(["releases", *arguments])
        told = capsys.readouterr()
        assert ended.value.code == exit_code, told.err
        if exit_code:
            return told.err
        return json.loads(told.out) if "--json" in arguments else told.out

    return called


def test_every_act_reports_as_json_and_in_words(
    settings: Settings, call: Callable[..., Any]
) -> None:
    newest, oldest = [release["release_id"] for release in call("list", "--json")]
    difference = call("diff", "--json")
    assert (difference["before"], difference["after"]) == (oldest, newest)
    assert [table["table"] for table in difference["tables"]] == ["fct_touchpoints"]
    assert "fct_touchpoints" in call("diff", oldest, newest)
    assert call("pin", oldest, "--reason", "kept", "--json")["changed"] is True
    assert f"{oldest} is pinned already" in call("pin", oldest, "--reason", "kept")
    assert call("gc", "--dry-run", "--json")["removed"] == {}
    assert "2 kept" in call("gc")
    assert call("unpin", oldest, "--reason", "gone", "--json")["is_pinned"] is False


def test_a_rollback_without_a_name_goes_to_the_release_before(
    settings: Settings, call: Callable[..., Any]
) -> None:
    newest, oldest = [release["release_id"] for release in call("list", "--json")]
    told = call("rollback", "--reason", "wrong prices", "--by", "ada", "--json")
    assert (told["release_id"], told["left_release_id"]) == (oldest, newest)
    assert settings.current.resolve().name == oldest
    assert f"current is now {newest}" in call("rollback", newest, "--reason", "they were right")
    assert call("verify", "--json")["release_id"] == newest


def test_acts_need_a_reason(call: Callable[..., Any]) -> None:
    for arguments in (["rollback"], ["pin"], ["unpin", "x"], ["publish", "--despite", "a"]):
        assert "--reason" in call(*arguments, exit_code=2)
