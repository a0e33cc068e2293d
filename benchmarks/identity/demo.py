"""How right the demo company's customers are, overall and for each planted difficulty."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb

from benchmarks.document import table
from benchmarks.identity.scores import COLUMNS, b_cubed, pairwise
from orchestration.demo.company import build_company
from orchestration.pipeline import state, steps
from orchestration.settings import Settings


def measure(home: Path, customers: int, nights: int, seeds: list[int]) -> str:
    """The section: one part a seed; companies of the same size are kept below `home`.

    Args:
        home: Where the companies are made, or were made by an earlier call.
        customers: Customers of each company.
        nights: Nights after the history.
        seeds: Seeds, none of which the shipped matcher was trained on.
    """
    parts = [
        "## Identity: the demo company",
        f"`python -m benchmarks.identity demo`: {customers:,} customers, {nights} nights, the "
        "default mess. Pairs and B³ over records against the truth; a difficulty covers the pairs "
        "that touch a record that has it. The matcher is the one that ships, trained on a company "
        "of another seed.",
    ]
    for seed in seeds:
        settings = Settings(home=home / f"company-{customers}-{nights}-{seed}")
        seconds = _resolve(settings, customers, nights, seed)
        parts += [f"### Seed {seed}", _scores(settings), _queue(settings, seconds)]
    return "\n\n".join(parts)


def _resolve(settings: Settings, customers: int, nights: int, seed: int) -> float:
    """Build the company, load it and resolve identities; seconds of the stage unify."""
    if not settings.landing.exists():
        build_company(settings, customers=customers, nights=nights, seed=seed)
    steps.prepare(settings)
    if state.waiting_nights(settings):
        steps.load(settings, None)
    steps.write_configuration(settings)
    started = time.monotonic()
    steps.build_records(settings)
    steps.resolve_ids(settings)
    return time.monotonic() - started


def _scores(settings: Settings) -> str:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{settings.warehouse}' as warehouse (read_only)")
        connection.execute(
            f"""
            create table judged as
            select source || '/' || entity || '/' || record_id as record, person_id as truth,
                customer_id as cluster, difficulties
            from read_parquet('{settings.truth / "records.parquet"}')
            inner join warehouse.identity.customer_records
                on record_key = source || '/' || entity || '/' || record_id
            """
        )
        kinds = [
            str(row[0])
            for row in connection.execute(
                "select distinct unnest(difficulties) as kind from judged order by kind"
            ).fetchall()
        ]
        scores = [pairwise(connection, "all"), b_cubed(connection, "all")]
        scores += [
            measured(connection, kind, f"list_contains(judged.difficulties, '{kind}')")
            for kind in kinds
            for measured in (pairwise, b_cubed)
        ]
    return table(COLUMNS, [score.row() for score in scores])


def _queue(settings: Settings, seconds: float) -> str:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{settings.warehouse}' as warehouse (read_only)")
        row = connection.execute(
            f"""
            with people as (
                select source || '/' || entity || '/' || record_id as record_key, person_id
                from read_parquet('{settings.truth / "records.parquet"}')
            )
            select count(*), count(*) filter (earlier.person_id = later.person_id)
            from warehouse.unify.int_review_pairs
            inner join people as earlier on earlier.record_key = left_record_key
            inner join people as later on later.record_key = right_record_key
            """
        ).fetchone()
    assert row is not None
    return (
        f"{row[0]:,} pairs wait for review, {row[1]:,} of them one person's. Matching, clustering "
        f"and the id ledger took {seconds:.1f} s."
    )
