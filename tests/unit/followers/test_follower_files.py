"""CSV files and object storages follow: files first, the pointer last."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import publishing
import pytest
import storages

from orchestration.errors import JourneylineError
from orchestration.followers import objects
from orchestration.followers.following import follow_all, last_following
from orchestration.publish.publisher import publish
from orchestration.settings import Settings


def enter(home: Settings, said: dict[str, object]) -> None:
    (home.config / "followers.yml").write_text(json.dumps({"followers": [said]}))


def test_no_text_of_a_csv_file_is_taken_for_a_formula(home: Settings, tmp_path: Path) -> None:
    texts = ["=1+1", "+cmd", "-2+3", "@sum", "\tx", "plain", "a=b"]
    for number, text in enumerate(texts):
        publishing.change(
            home,
            f"update unify.dim_customers set country = '{text}' where customer_id = 'c{number}'",
        )
    publishing.change(
        home, "update journey.fct_touchpoints set value_amount = -3 where touchpoint_id = 't1'"
    )
    publish(home, "run-2")
    enter(home, {"kind": "csv", "name": "sheets", "path": str(tmp_path / "sheets")})
    (following,) = follow_all(home)
    assert (following.release_id, following.error) == (home.current.resolve().name, None)
    place = tmp_path / "sheets" / "current"
    assert sorted(p.stem for p in place.iterdir()) == [
        "dim_customers",
        "fct_identity_history",
        "fct_touchpoints",
    ]
    with (place / "dim_customers.csv").open(newline="") as file:
        found = {row["customer_id"]: row["country"] for row in csv.DictReader(file)}
    assert [found[f"c{n}"] for n in range(len(texts))] == [
        "'=1+1", "'+cmd", "'-2+3", "'@sum", "'\tx", "plain", "a=b",
    ]  # fmt: skip
    with (place / "fct_touchpoints.csv").open(newline="") as file:
        amounts = {row["touchpoint_id"]: row["value_amount"] for row in csv.DictReader(file)}
    assert amounts["t1"] == "-3.0000"


def test_csv_files_are_those_of_one_release_and_the_one_before_goes(
    home: Settings, tmp_path: Path
) -> None:
    place = tmp_path / "sheets"
    enter(home, {"kind": "csv", "name": "sheets", "path": str(place), "tables": ["dim_customers"]})
    follow_all(home)
    publishing.add_night(home)
    publish(home, "run-2")
    assert last_following(home)[0].is_behind
    assert not follow_all(home)[0].is_behind
    name = home.current.resolve().name
    assert sorted(path.name for path in place.iterdir()) == sorted([name, "current"])
    assert (place / "current").resolve().name == name


EMULATED = [pytest.param(protocol, marks=pytest.mark.slow) for protocol in ("az", "gs")]


@pytest.fixture(params=["s3", *EMULATED])
def storage(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[storages.Storage]:
    with storages.running(request.param) as running:
        for name, value in running.secrets.items():
            monkeypatch.setenv(name, value)
        yield running


def entered(storage: storages.Storage, options: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "kind": "objects",
        "name": "lake",
        "url": f"{storage.protocol}://{storages.BUCKET}/journeyline",
        "options": storage.options if options is None else options,
        "options_from": storage.options_from,
        "keep": 1,
    }


def test_an_object_storage_points_to_a_release_only_when_it_is_whole(
    home: Settings, storage: storages.Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(home, entered(storage))
    (following,) = follow_all(home)
    assert following.error is None
    first = home.current.resolve().name
    assert pointed(storage) == first
    assert stored(storage, first) == sent(home)

    publishing.add_night(home)
    publish(home, "run-2")
    second = home.current.resolve().name
    put = objects._put

    def fails(files: Any, source: Path, target: str, size: int) -> None:
        if source.name == "manifest.json":
            raise OSError("the line is cut")
        put(files, source, target, size)

    with monkeypatch.context() as patch:
        patch.setattr(objects, "_put", fails)
        (following,) = follow_all(home)
    assert (following.release_id, following.is_behind) == (first, True)
    assert pointed(storage) == first
    assert stored(storage, first)

    assert not follow_all(home)[0].is_behind
    assert pointed(storage) == second
    assert stored(storage, second) == sent(home)
    assert stored(storage, first) == {}


def test_a_storage_that_lets_nobody_in_is_named_without_its_secrets(
    home: Settings, storage: storages.Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = storage.options
    for name, value in storage.wrong.items():
        monkeypatch.setenv(name, value)
    if not storage.wrong:
        # moto lets everyone in; whoever is not there tells what it was asked with.
        options = {**options, "endpoint_url": "http://lake-secret.invalid:1"}
    enter(home, entered(storage, options))
    (following,) = follow_all(home)
    assert following.error and following.is_behind
    assert not any(part in following.error for part in storage.told)


def test_a_storage_without_its_library_says_what_to_install(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "adlfs", None)
    monkeypatch.delitem(import_module("fsspec.registry")._registry, "az", raising=False)
    enter(home, {"kind": "objects", "name": "lake", "url": "az://lake/journeyline"})
    (following,) = follow_all(home)
    assert following.error and "adlfs is not installed" in following.error


def pointed(storage: storages.Storage) -> str:
    return str(json.loads(storage.read()["journeyline/current.json"])["release_id"])


def stored(storage: storages.Storage, release_id: str) -> dict[str, bytes]:
    prefix = f"journeyline/releases/{release_id}/"
    found = storage.read()
    return {n.removeprefix(prefix): found[n] for n in found if n.startswith(prefix)}


def sent(home: Settings) -> dict[str, bytes]:
    root = home.current.resolve()
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_following_by_hand_says_who_is_behind(
    home: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from orchestration.cli.main import main

    monkeypatch.setenv("JOURNEYLINE_PROJECT", str(home.repo_root))
    monkeypatch.setenv("JOURNEYLINE_HOME", str(home.home))
    blocked = tmp_path / "blocked"
    blocked.write_text("not a folder")
    entries = [
        {"kind": "csv", "name": "sheets", "path": str(tmp_path / "sheets")},
        {"kind": "csv", "name": "broken", "path": str(blocked)},
    ]
    (home.config / "followers.yml").write_text(json.dumps({"followers": entries}))
    with pytest.raises(SystemExit) as ended:
        main(["releases", "follow", "--json"])
    assert ended.value.code == 1
    told = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert told["sheets"]["release_id"] == home.current.resolve().name
    assert (told["broken"]["release_id"], told["broken"]["is_behind"]) == (None, True)
    with pytest.raises(SystemExit) as ended:
        main(["releases", "follow"])
    assert "broken (csv) None behind: " in capsys.readouterr().out


def test_a_follower_that_cannot_be_is_a_usage_error_with_its_line(home: Settings) -> None:
    for said in (
        {"kind": "csv", "name": "x; drop", "path": "/tmp/x"},
        {"kind": "postgresql", "name": "bi", "url_from": "postgresql://u:p@h/d"},
        {"kind": "fax", "name": "bi"},
    ):
        enter(home, said)
        with pytest.raises(JourneylineError) as raised:
            follow_all(home)
        assert raised.value.exit_code == 2
        assert "followers.yml:" in raised.value.where
