"""`identity_decisions.yml`: what people decide is proved, written once and kept readable."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from orchestration.errors import JourneylineError
from orchestration.settings import Settings
from orchestration.unify.decisions import Decision, append_decision, load_decisions

HEAD = "# what people decided\ndecisions: []\n"


def _settings(folder: Path, text: str | None = HEAD) -> Settings:
    config = folder / "orchestration" / "config"
    config.mkdir(parents=True)
    if text is not None:
        (config / "identity_decisions.yml").write_text(text, encoding="utf-8")
    return Settings(home=folder / "home", repo_root=folder)


def _decision(*records: str, reason: str = "said so: on the phone") -> Decision:
    return Decision(
        decision="must_link",
        records=(records[0], records[1]),
        author="jane",
        reason=reason,
        decided_at=datetime(2025, 7, 2),
    )


def test_a_missing_file_decides_nothing(tmp_path: Path) -> None:
    assert load_decisions(_settings(tmp_path, None)) == []


def test_what_is_appended_is_read_again_and_comments_stay(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    first, second = _decision("b/x/2", "a/x/1"), _decision("a/x/1", "c/x/3", reason='a "quote" # 1')
    append_decision(settings, first)
    append_decision(settings, second)
    assert load_decisions(settings) == [first, second]
    assert first.records == ("a/x/1", "b/x/2")
    assert first.decision_id != second.decision_id
    text = (settings.config / "identity_decisions.yml").read_text(encoding="utf-8")
    assert text.startswith("# what people decided\ndecisions:\n")


def test_a_pair_is_decided_once(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    append_decision(settings, _decision("a/x/1", "b/x/2"))
    before = (settings.config / "identity_decisions.yml").read_bytes()
    with pytest.raises(JourneylineError, match="decided already") as caught:
        append_decision(settings, _decision("b/x/2", "a/x/1"))
    assert caught.value.exit_code == 2
    assert (settings.config / "identity_decisions.yml").read_bytes() == before


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ("[a/x/1, a/x/1]", "both sides"),
        ("[a/x/1, ann@mail.example]", "source/entity/record_id"),
        ("[a/x/1]", "records"),
    ],
)
def test_an_error_names_the_line(tmp_path: Path, records: str, said: str) -> None:
    text = (
        "decisions:\n  - decision: cannot_link\n"
        f"    records: {records}\n"
        "    author: jane\n    reason: why\n    decided_at: 2025-07-02T00:00:00Z\n"
    )
    with pytest.raises(JourneylineError, match=said) as caught:
        load_decisions(_settings(tmp_path, text))
    assert caught.value.exit_code == 2
    assert caught.value.where.endswith(":3")
