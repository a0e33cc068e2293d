"""Trains the probabilistic matcher with Splink, as an act of its own: a run never does.

Belongs here: what of the warehouse is learnt from, and in which order Splink estimates. Nothing
here writes to the warehouse; the outcome is one file (`model.TrainedModel`).
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import JourneylineError
from orchestration.settings import Settings
from orchestration.unify.comparisons import COMPARISONS
from orchestration.unify.model import (
    MODEL_FORMAT,
    LevelProbabilities,
    TrainedModel,
    comparisons_hash,
)
from orchestration.unify.splink_form import (
    Levels,
    proved_levels,
    saved_levels,
    session_levels,
    splink_settings,
    told_or_supposed,
)

# A name borne by fewer records says who they are; it weighs as an average one does.
FEWEST_BEARERS = 5
FEWEST_RECORDS = 200
_SEED = 1
# What pairs share from which names are learnt, the best known first.
_NAMED_BY: tuple[tuple[str, ...], ...] = (("email_local", "email_domain"), ("birth_date",))
_FEWEST_PAIRS = 100
_EM: dict[str, Any] = {"max_iterations": 6, "em_convergence": 0.003}

# The newest state of each record: training counts a person's record once.
_RECORDS = """
create table people as
select max_by(columns(* exclude (record_key)), (known_at, state_id)), record_key as unique_id
from warehouse.unify.int_record_states
group by record_key
order by record_key
"""


def train_model(settings: Settings, *, pairs: float = 2e6) -> TrainedModel:
    """Learn the matcher's probabilities from the records of a home.

    Names are learnt from pairs that share an e-mail address, or where few do a date of birth (m),
    and from random pairs (u).
    Everything else is learnt among pairs of one full name, where it has to decide; what strangers
    share there by chance is known from the random pairs, but for mailboxes named after people.
    An outcome that no pair shows keeps the probabilities that training begins with.

    Args:
        settings: The home; its warehouse has to be built.
        pairs: Random pairs to look at.

    Raises:
        JourneylineError: The warehouse holds too few records.
    """
    connection = duckdb.connect(":memory:")
    try:
        _take_records(connection, settings)
        return train_on(connection, pairs)
    finally:
        connection.close()


def write_model(model: TrainedModel, path: Path) -> None:
    """Write the file, as a whole or not at all."""
    temporary = path.with_suffix(".tmp")
    text = json.dumps(model.model_dump(), indent=1, sort_keys=True, ensure_ascii=False)
    temporary.write_text(text + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _take_records(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    connection.execute(f"attach '{settings.warehouse}' as warehouse (read_only)")
    try:
        connection.execute(_RECORDS)
    except duckdb.CatalogException as error:
        raise JourneylineError(
            "There are no records to learn from.",
            str(settings.warehouse),
            "Type `journeyline run` first.",
        ) from error
    connection.execute("detach warehouse")
    found = connection.execute("select count(*) from people").fetchone()
    if found is None or found[0] < FEWEST_RECORDS:
        raise JourneylineError(
            f"{found[0] if found else 0} records are too few to learn from; {FEWEST_RECORDS} are "
            "needed.",
            str(settings.warehouse),
            "Keep the trained file that ships with the project.",
        )


def train_on(connection: duckdb.DuckDBPyConnection, pairs: float) -> TrainedModel:
    """Learn from the table `people` of a connection: states of records, with a `unique_id`.

    Args:
        connection: Holds the table.
        pairs: Random pairs to look at.
    """
    from splink import DuckDBAPI, Linker

    logging.getLogger("splink").setLevel(logging.ERROR)
    people = DuckDBAPI(connection).register("people")
    linker = Linker(people, splink_settings(), log_level=logging.ERROR)
    linker.training.estimate_u_using_random_sampling(max_pairs=pairs, seed=_SEED)
    strangers = proved_levels(saved_levels(linker.misc.save_model_to_json()))
    by_email = linker.training.estimate_parameters_using_expectation_maximisation(
        _named_by(connection),
        estimate_without_term_frequencies=True,
    )
    # Of one full name: names say nothing here, and most pairs are one person's.
    given_name = splink_settings(
        strangers=strangers, probability_two_random_records_match=0.5, **_EM
    )
    linker = Linker(people, given_name, log_level=logging.ERROR)
    by_name = linker.training.estimate_parameters_using_expectation_maximisation(
        "l.first_name = r.first_name and l.last_name = r.last_name",
        fix_u_probabilities=False,
        estimate_without_term_frequencies=True,
    )
    named = proved_levels(session_levels(by_email))
    given = proved_levels(session_levels(by_name))
    proved = {
        comparison.name: (
            told_or_supposed(comparison, given[comparison.name], strangers[comparison.name])
            if comparison.given_name
            else _joined(named[comparison.name], strangers[comparison.name])
        )
        for comparison in COMPARISONS
    }
    share = _share(
        by_name.core_model_settings.probability_two_random_records_match,
        _pairs_sharing(connection, ("first_name", "last_name")),
    )
    return TrainedModel(
        model_format=MODEL_FORMAT,
        comparisons_hash=comparisons_hash(),
        trained_on=_count(connection),
        prior_probability=_prior(share, proved),
        levels=proved,
        terms=_terms(connection),
    )


def _named_by(connection: duckdb.DuckDBPyConnection) -> str:
    """What pairs share from which names are learnt: the first that enough pairs share, or most."""
    pairs = {columns: _pairs_sharing(connection, columns) for columns in _NAMED_BY}
    enough = [columns for columns in _NAMED_BY if pairs[columns] >= _FEWEST_PAIRS]
    columns = enough[0] if enough else max(_NAMED_BY, key=lambda each: pairs[each])
    return " and ".join(f"l.{column} = r.{column}" for column in columns)


def _share(estimated: float, pairs: int) -> float:
    """The share of pairs that are one person's, never certain (Laplace's rule of succession)."""
    return (estimated * pairs + 1) / (pairs + 2)


def _pairs_sharing(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> int:
    row = connection.execute(
        f"""
        select coalesce(sum(bearers * (bearers - 1)) // 2, 0)
        from (
            select count(*) as bearers from people
            where {" and ".join(f"{column} is not null" for column in columns)}
            group by {", ".join(columns)}
        )
        """
    ).fetchone()
    assert row is not None
    return int(row[0])


def _prior(share: float, levels: Levels) -> float:
    """What two records are before anything is known, from what pairs of one name are.

    Bayes' rule turned round: the odds among pairs of one full name, divided by what the name
    weighs.
    """
    odds = share / (1 - share)
    for comparison in COMPARISONS:
        for level in comparison.levels:
            if level.term is not None:
                found = levels[comparison.name][level.number]
                odds *= found.u / found.m
    return float(f"{odds / (1 + odds):.6g}")


def _terms(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for comparison in COMPARISONS:
        for level in comparison.levels:
            if level.term is not None:
                rows = connection.execute(
                    f"""
                    select {level.term}, count(*) / sum(count(*)) over ()
                    from people
                    where {level.term} is not null
                    group by {level.term}
                    qualify count(*) >= {FEWEST_BEARERS}
                    order by {level.term}
                    """
                ).fetchall()
                found[comparison.name] = {term: float(f"{share:.6g}") for term, share in rows}
    return found


def _count(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("select count(*) from people").fetchone()
    assert row is not None
    return int(row[0])


def _joined(
    named: dict[int, LevelProbabilities], strangers: dict[int, LevelProbabilities]
) -> dict[int, LevelProbabilities]:
    return {
        number: LevelProbabilities(m=found.m, u=strangers[number].u)
        for number, found in named.items()
    }
