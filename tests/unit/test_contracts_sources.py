"""The source contracts in the repository, and what the reader says about broken ones."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path

import pytest
import yaml

from orchestration.errors import JourneylineError
from orchestration.ingest.contracts import load_contract, load_contracts
from orchestration.ingest.sources import load_sources
from orchestration.settings import REPO_ROOT, Settings

FOLDER = REPO_ROOT / "data_contracts" / "sources"


def test_every_contract_is_read_and_belongs_to_a_listed_source(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    contracts = load_contracts(settings)
    assert len(contracts) == len(list(FOLDER.glob("*.yaml"))) >= 20
    assert {source for source, _ in contracts} == set(load_sources(settings))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_every_contract_follows_the_published_schema(path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(
        resources.files("open_data_contract_standard").joinpath("schema.json").read_text()
    )
    errors = jsonschema.Draft201909Validator(schema).iter_errors(yaml.safe_load(path.read_text()))
    assert [error.message for error in errors] == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_addresses_phones_and_names_of_persons_are_direct_identifiers(path: Path) -> None:
    contract = load_contract(path)
    personal = {"email", "phone", "mobile_phone", "first_name", "last_name", "birth_date", "body"}
    for column in contract.columns:
        assert len(column.meaning) > 15 and column.meaning.endswith(".")
        if column.name in personal:
            assert column.classification == "direct_identifier", column.name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("versionColumn", "versionColum", "versionColumn or set eventTable"),
        ("value: ndjson", "value: xml", "format must be one of"),
        ("physicalType: timestamp", "physicalType: datetime", "physicalType 'datetime'"),
        ("classification: internal", "classification: secret", "classification is none of"),
        ("apiVersion: v3.2.0", "apiVersion: v3.0.2", "apiVersion is v3.0.2"),
        ("value: 0.05", "value: 5", "rateBound must be a share"),
        ("name: zendesk__groups", "name: zendesk__grops", "one table named zendesk__groups"),
    ],
)
def test_a_broken_contract_says_which_part(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "zendesk.groups.odcs.yaml"
    path.write_text((FOLDER / path.name).read_text().replace(old, new, 1))
    with pytest.raises(JourneylineError) as caught:
        load_contract(path)
    assert said in caught.value.what
    assert caught.value.where == str(path)


def test_a_wrong_source_entry_is_named_with_its_line(tmp_path: Path) -> None:
    config = tmp_path / "orchestration" / "config"
    config.mkdir(parents=True)
    shutil.copy(REPO_ROOT / "orchestration" / "config" / "sources.yml", config)
    path = config / "sources.yml"
    path.write_text(path.read_text().replace("enabled: true", "enabled: perhaps", 1))
    with pytest.raises(JourneylineError) as caught:
        load_sources(Settings(home=tmp_path, repo_root=tmp_path))
    line = int(caught.value.where.rsplit(":", 1)[1])
    assert "perhaps" in path.read_text().splitlines()[line - 1]
