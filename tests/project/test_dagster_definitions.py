"""The code location loads without a word, and what it defines is what somebody reviewed."""

from __future__ import annotations

import logging
import shutil
import warnings
from pathlib import Path

import dagster as dg
import pytest
import yaml
from definitions_snapshot import PATH, lines_of

from orchestration.defs.assembly import assemble
from orchestration.defs.launch import prepare_instance
from orchestration.defs.release import AUDIT, RELEASE
from orchestration.defs.writing import POOL
from orchestration.settings import REPO_ROOT, Settings

STAGES = ("ingest", "stage", "unify", "journey", "measure", "decide", "gate", "publish")
# dbt's own mark is written by dbt at the end of its run.
NOT_RUN = {dg.AssetKey(["pipeline", "build_marks"])}


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home in which nothing was ever delivered."""
    settings = Settings(home=tmp_path_factory.mktemp("definitions"))
    prepare_instance(settings)
    return settings


@pytest.fixture(scope="session")
def definitions(home: Settings) -> dg.Definitions:
    """The definitions of an empty home."""
    return assemble(home)


@pytest.fixture(scope="session")
def specs(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    """The spec of every asset."""
    found = list(definitions.resolve_all_asset_specs())
    assert len(found) > 100
    return found


def test_the_code_location_loads_what_is_assembled_without_a_warning(
    home: Settings,
    definitions: dg.Definitions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from orchestration.definitions import defs

    monkeypatch.setenv("JOURNEYLINE_HOME", str(home.home))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        loaded = defs()
        dg.Definitions.validate_loadable(loaded)
    assert lines_of(loaded) == lines_of(definitions)
    ours = [w for w in told if not issubclass(w.category, DeprecationWarning | FutureWarning)]
    assert [str(warning.message) for warning in ours] == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_what_is_defined_is_what_was_reviewed(definitions: dg.Definitions) -> None:
    assert lines_of(definitions) == PATH.read_text(encoding="utf-8").splitlines(), (
        "Review the difference, then: .venv/bin/python tests/project/definitions_snapshot.py"
    )


def test_every_asset_is_described_owned_and_stands_in_its_stage(
    specs: list[dg.AssetSpec],
) -> None:
    for spec in specs:
        assert spec.description, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.group_name in STAGES, spec.key
        assert len(spec.key.path) == 2, spec.key


def test_every_writer_is_in_the_pool_takes_its_nights_in_one_run_and_may_be_retried(
    definitions: dg.Definitions,
) -> None:
    writers = [
        asset for asset in definitions.assets or [] if isinstance(asset, dg.AssetsDefinition)
    ]
    assert {key for writer in writers for key in writer.keys} == {
        spec.key for spec in definitions.resolve_all_asset_specs()
    } - NOT_RUN
    for writer in writers:
        assert writer.op.pool == POOL, writer.op.name
        assert writer.op.retry_policy is not None, writer.op.name
        assert isinstance(writer.partitions_def, dg.DailyPartitionsDefinition), writer.op.name
        assert writer.backfill_policy == dg.BackfillPolicy.single_run(), writer.op.name


def test_every_published_table_has_a_freshness_policy_and_a_blocking_check(
    definitions: dg.Definitions, specs: list[dg.AssetSpec]
) -> None:
    contracts = (REPO_ROOT / "data_contracts" / "products").glob("*.odcs.yaml")
    products = {path.name.removesuffix(".odcs.yaml") for path in contracts}
    assert products
    fresh = {spec.key.path[-1] for spec in specs if spec.freshness_policy is not None}
    assert fresh == {*products, "current"}
    graph = definitions.get_repository_def().asset_graph
    checks = {key.name for key in graph.asset_check_keys if key.asset_key == AUDIT}
    assert checks == {*products, "across_tables"}
    assert all(graph.get_check_spec(dg.AssetCheckKey(AUDIT, name)).blocking for name in checks)


def test_every_raw_table_is_staged_and_leads_to_the_release(
    definitions: dg.Definitions,
) -> None:
    graph = definitions.get_repository_def().asset_graph
    upstream = graph.get_ancestor_asset_keys(RELEASE)
    raw = {key for key in graph.get_all_asset_keys() if key.path[0] == "raw"}
    assert raw
    for key in raw:
        assert [child.path[0] for child in graph.get(key).child_keys] == ["staging"], key
    assert raw - upstream == set()


@pytest.mark.parametrize("chosen", [{AUDIT, RELEASE}, {RELEASE}, {AUDIT}])
@pytest.mark.parametrize("checks", [set(), {dg.AssetCheckKey(AUDIT, "across_tables")}])
def test_the_release_cannot_be_asked_for_without_its_checks(
    definitions: dg.Definitions, chosen: set[dg.AssetKey], checks: set[dg.AssetCheckKey]
) -> None:
    job = definitions.resolve_job_def("nightly")
    with pytest.raises(dg.DagsterInvalidSubsetError, match="publish_release"):
        job.get_subset(asset_selection=chosen, asset_check_selection=checks)


def test_a_company_with_a_connector_has_one_fetch_job_and_its_schedule(tmp_path: Path) -> None:
    """The job was once made twice, for itself and for its schedule: then nothing loaded."""
    root = tmp_path / "project"
    shutil.copytree(REPO_ROOT / "orchestration" / "config", root / "orchestration" / "config")
    for name in ("dbt_project", "data_contracts"):
        (root / name).symlink_to(REPO_ROOT / name)
    path = root / "orchestration" / "config" / "sources.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["sources"][0]["connector"] = {
        "kind": "hubspot",
        "url": "http://127.0.0.1:9",
        "auth": {"kind": "bearer", "token_from": "HUBSPOT_TOKEN"},
        "tables": {"owners": {}},
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    connected = assemble(Settings(home=tmp_path / "home", repo_root=root)).get_repository_def()
    assert {job.name for job in connected.get_all_jobs()} >= {"fetch", "nightly"}
    assert connected.get_schedule_def("fetch").job_name == "fetch"
