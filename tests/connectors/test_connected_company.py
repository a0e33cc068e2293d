"""A company whose CRM, e-mail and support come over REST has the release of one that gets files."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from demo_vendors import served, write_fivetran_desk, write_fivetran_mail
from fetch_home import project_with

from orchestration import warehouse
from orchestration.connectors.run import fetch_tables
from orchestration.demo.company import build_company
from orchestration.ingest.landing import list_deliveries
from orchestration.pipeline.night import run_nights
from orchestration.settings import Settings

SECRETS = {
    "HUBSPOT_TOKEN": "pat-123",
    "MAILCHIMP_KEY": "key-us1",
    "ZENDESK_USER": "desk@example.com/token",
    "ZENDESK_TOKEN": "s3cret",
}
# A report of Mailchimp knows one mail per address and campaign, and not when a series sent it.
SAME = {
    "touchpoints": "select source, touchpoint_type, touchpoint_id from fct_touchpoints "
    "where touchpoint_type <> 'email_sent'",
    "times": "select touchpoint_id, occurred_at from fct_touchpoints where source <> 'mailchimp'",
    "records": "select source, entity, record_id from bridge_customer_records",
    "customers": "select count(*) from dim_customers",
    "accounts": "select account_id from dim_accounts",
    "service steps": "select count(*) from fct_service_steps",
    "unattributed": "select source, touchpoint_type, reason, count(*) "
    "from fct_unattributed_touchpoints group by all",
}


def rows(settings: Settings, query: str) -> set[tuple]:
    """Rows of the current release."""
    path = settings.current.resolve() / "journeyline.duckdb"
    connection = warehouse.connect(path, read_only=True)
    try:
        return set(connection.execute(query).fetchall())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def by_files(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A company that was landed as files, up to its first release."""
    folder = tmp_path_factory.mktemp("company")
    mess = folder / "mess.yml"
    mess.write_text("broken_rows: 0\nduplicate_rows: 0\n", encoding="utf-8")
    settings = Settings(home=folder / "files")
    build_company(settings, customers=200, nights=3, seed=7, mess_file=mess)
    run_nights(settings)
    return settings


def last_arrival(settings: Settings) -> datetime:
    """When the company's last delivery arrived."""
    return max(d.received_at for d in list_deliveries(settings)).replace(tzinfo=UTC)


@pytest.mark.slow
def test_what_is_fetched_reaches_profiles_and_touchpoints_as_files_do(
    tmp_path: Path, by_files: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with served(by_files, tmp_path / "fetched") as fetched:
        shutil.copytree(by_files.keys, fetched.keys)
        for source in ("segment", "surveys", "cms"):
            shutil.copytree(by_files.landing / source, fetched.landing / source)
        arrival = last_arrival(by_files)
        report = fetch_tables(fetched, (), lambda line: None, lambda: arrival)
    assert len(report) == 15
    assert [one.error for one in report if one.error or not one.records] == []
    outcome = run_nights(fetched)
    assert outcome.load is not None and outcome.load.quarantined == 0
    for name, query in SAME.items():
        expected = rows(by_files, query)
        assert expected and rows(fetched, query) == expected, name
    sent = "select count(*) from fct_touchpoints where touchpoint_type = 'email_sent'"
    ((count,),) = rows(fetched, sent)
    ((planted,),) = rows(by_files, sent)
    assert 0.9 * planted < count <= planted
    left = sorted(path.name for path in fetched.connectors.rglob("*") if path.is_file())
    assert set(left) == {".lock", "cursor.json"}


@pytest.mark.slow
def test_what_fivetran_landed_has_the_touchpoints_of_the_same_files(
    tmp_path: Path, by_files: Settings
) -> None:
    write_fivetran_desk(by_files, tmp_path / "desk")
    write_fivetran_mail(by_files, tmp_path / "mail")
    for vendor, folder in (("zendesk", "desk"), ("mailchimp", "mail")):
        entry = {
            "kind": "elt",
            "tool": "fivetran",
            "vendor": vendor,
            "folder": str(tmp_path / folder),
            "tables": {path.name: {} for path in (by_files.landing / vendor).iterdir()},
        }
        fetched = project_with(tmp_path, vendor, entry)
    shutil.copytree(by_files.keys, fetched.keys)
    for source in by_files.landing.iterdir():
        if source.is_dir() and source.name not in ("zendesk", "mailchimp"):
            shutil.copytree(source, fetched.landing / source.name)
    arrival = last_arrival(by_files)
    report = fetch_tables(fetched, (), lambda line: None, lambda: arrival)
    assert len(report) == 9
    assert [one.error for one in report if one.error or not one.records] == []
    outcome = run_nights(fetched)
    assert outcome.load is not None and outcome.load.quarantined == 0
    for name, query in SAME.items():
        assert rows(fetched, query) == rows(by_files, query), name
