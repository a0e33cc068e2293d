"""CSV files and object storages follow: files first, the pointer last."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import publishing
import pytest
from moto.server import ThreadedMotoServer

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


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    monkeypatch.setenv("LAKE_KEY", "lake-key")
    monkeypatch.setenv("LAKE_SECRET", "lake-secret")
    yield (
        boto3.resource(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="lake-key",
            aws_secret_access_key="lake-secret",
        ).create_bucket(Bucket="published"),
        address,
    )
    server.stop()


def test_an_object_storage_points_to_a_release_only_when_it_is_whole(
    home: Settings, bucket: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files, address = bucket
    enter(
        home,
        {
            "kind": "objects",
            "name": "lake",
            "url": "s3://published/journeyline",
            "options": {
                "endpoint_url": address,
                "use_listings_cache": False,
                "config_kwargs": {"retries": {"total_max_attempts": 1}},
            },
            "options_from": {"key": "LAKE_KEY", "secret": "LAKE_SECRET"},
            "keep": 1,
        },
    )
    (following,) = follow_all(home)
    assert following.error is None
    first = home.current.resolve().name
    assert pointed(files) == first
    assert names(files, first) == sent(home)

    publishing.add_night(home)
    publish(home, "run-2")
    second = home.current.resolve().name
    put = objects._put

    def fails(storage: Any, source: Path, target: str, size: int) -> None:
        if source.name == "manifest.json":
            raise OSError("the line is cut")
        put(storage, source, target, size)

    with monkeypatch.context() as patch:
        patch.setattr(objects, "_put", fails)
        (following,) = follow_all(home)
    assert (following.release_id, following.is_behind) == (first, True)
    assert pointed(files) == first
    assert names(files, first)

    assert not follow_all(home)[0].is_behind
    assert pointed(files) == second
    assert names(files, second) == sent(home)
    assert names(files, first) == set()


def pointed(files: Any) -> str:
    body = files.Object("journeyline/current.json").get()["Body"].read()
    return str(json.loads(body)["release_id"])


def names(files: Any, release_id: str) -> set[str]:
    prefix = f"journeyline/releases/{release_id}/"
    return {found.key.removeprefix(prefix) for found in files.objects.filter(Prefix=prefix)}


def sent(home: Settings) -> set[str]:
    root = home.current.resolve()
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}


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
