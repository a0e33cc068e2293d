"""A set of records, resolved by the product's own models: records, matcher, limits, clusters.

Belongs here: a home whose CRM holds the set, and what its runs make of it. The home has a project
of its own, whose matcher is trained on the set; everything else in it is as it ships. Rows take
the place of the CRM's versions, behind contracts and casts: a date that is none is not known.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb

from orchestration.pipeline import steps
from orchestration.pipeline.dbt_runner import run_dbt
from orchestration.settings import REPO_ROOT, Settings
from orchestration.unify.rules import load_identity_rules
from orchestration.unify.training import train_model, write_model

_VERSIONS = """
create temp table versions as from unify.int_crm_record_versions limit 0;
insert into versions by name
select
    'register/people/' || record as record_key, 'register' as source, 'people' as entity,
    record as record_id, first_name, last_name, email, city, postal_code, street, house_number,
    try_cast(birth_date as date) as birth_date, 1 as load_number, false as is_staff_role,
    false as is_archived, timestamp '2025-01-01' as version_at,
    timestamp '2025-01-02' as received_at, md5(record) as version_hash
from source;
drop view unify.int_crm_record_versions;
create table unify.int_crm_record_versions as from versions;
"""
_FED = ("--select", "int_record_versions+,tag:phase_records")


def clusters_of_product(
    source: duckdb.DuckDBPyConnection, folder: Path
) -> Iterator[tuple[float, str]]:
    """The clusters that a run makes, and those that there were if people confirmed every pair
    that waits for them or that a limit of guesses refused.

    Args:
        source: Holds the set as a table `source`.
        folder: An empty folder for the home.

    Yields:
        The probability from which on pairs are one person's, and a query (record, cluster) on
        the connection.
    """
    settings = _home_with(source, folder)
    fuzzy = load_identity_rules(settings).probabilistic
    assert fuzzy is not None
    write_model(train_model(settings), settings.config / fuzzy.model)
    rules = settings.config / "identity.yml"
    shipped = rules.read_text(encoding="utf-8")
    merging = f"merge_probability: {fuzzy.merge_probability}\n"
    certain = f"certain_probability: {fuzzy.certain_probability}\n"
    reviewed = fuzzy.review_probability
    confirmed = shipped.replace(merging, f"merge_probability: {reviewed}\n").replace(
        certain, f"certain_probability: {reviewed}\n"
    )
    told = ((fuzzy.merge_probability, shipped), (reviewed, confirmed))
    for number, (probability, text) in enumerate(told):
        rules.write_text(text, encoding="utf-8")
        steps.write_configuration(settings)
        run_dbt(settings, ["run", "--full-refresh", *_FED])
        source.execute(f"attach '{settings.warehouse}' as warehouse (read_only)")
        source.execute(
            f"create table clusters_{number} as select split_part(record_key, '/', 3) as record, "
            "cluster_key as cluster from warehouse.unify.int_clusters"
        )
        source.execute("detach warehouse")
        yield probability, f"from clusters_{number}"


def _home_with(source: duckdb.DuckDBPyConnection, folder: Path) -> Settings:
    for part in ("orchestration/config", "dbt_project", "data_contracts"):
        shutil.copytree(REPO_ROOT / part, folder / part)
    settings = Settings(home=folder / "home", repo_root=folder)
    steps.prepare(settings)
    steps.load(settings, None)
    steps.write_configuration(settings)
    steps.build_records(settings)
    path = folder / "source.parquet"
    source.execute(f"copy source to '{path}'")
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(f"create temp view source as from '{path}'")
        for statement in _VERSIONS.strip().split(";\n"):
            connection.execute(statement)
    run_dbt(settings, ["run", "--full-refresh", *_FED])
    return settings
