"""How right the demo company's customers are, overall and for each planted difficulty."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb

from benchmarks.document import table
from benchmarks.identity.attribution import attribution
from benchmarks.identity.scores import COLUMNS, b_cubed, pairwise
from orchestration.demo.company import build_company
from orchestration.pipeline import state, steps
from orchestration.settings import Settings

EVENTS_TOLD = (
    "Events: on whom each is, against the truth. A device is shared where it shows events of "
    "several persons; an event is on its person where its customer holds a record of that person."
)


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
        parts += [_households_told(settings), EVENTS_TOLD, attribution(settings)]
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
    seconds = time.monotonic() - started
    steps.build_customers(settings)
    return seconds


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


def households(settings: Settings) -> tuple[int, int, int]:
    """Pairs of persons who live together: planted, found, and found rightly.

    A person counts where a record of theirs is; the home's marts have to be built.
    """
    with duckdb.connect() as connection:
        connection.execute(f"attach '{settings.warehouse}' as warehouse (read_only)")
        row = connection.execute(
            f"""
            with people as (
                select distinct customer_id, person_id, household_id as true_household
                from warehouse.identity.customer_records
                inner join read_parquet('{settings.truth / "records.parquet"}') as records
                    on record_key = source || '/' || entity || '/' || record_id
                inner join read_parquet('{settings.truth / "persons.parquet"}') using (person_id)
            ),
            members as (
                select household_id, person_id, true_household
                from warehouse.unify.bridge_customer_households
                inner join people using (customer_id)
            ),
            found as (
                select distinct one.person_id, other.person_id as other_person_id,
                    coalesce(one.true_household = other.true_household, false) as is_true
                from members as one
                inner join members as other
                    on one.household_id = other.household_id and one.person_id < other.person_id
            ),
            planted as (
                select distinct one.person_id, other.person_id as other_person_id
                from people as one
                inner join people as other
                    on one.true_household = other.true_household
                    and one.person_id < other.person_id
            )
            select (select count(*) from planted), (select count(*) from found),
                (select count(*) from found where is_true)
            """
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


def _households_told(settings: Settings) -> str:
    planted, found, right = households(settings)
    return (
        f"Households: {planted:,} pairs of persons live together, {found:,} were found to, "
        f"{right:,} rightly: precision {right / found if found else 1:.5f}, "
        f"recall {right / planted if planted else 1:.5f}."
    )
