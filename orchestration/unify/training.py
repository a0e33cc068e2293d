"""Trains the probabilistic matcher with Splink, as an act of its own: a run never does.

Belongs here: what of the warehouse is learnt from, and in which order Splink estimates. Nothing
here writes to the warehouse; the outcome is one file (`model.TrainedModel`).
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import JourneylineError
from orchestration.settings import Settings
from orchestration.unify.comparisons import COMPARISONS, Comparison, splink_condition
from orchestration.unify.model import (
    MODEL_FORMAT,
    LevelProbabilities,
    TrainedModel,
    comparisons_hash,
)

# A name borne by fewer records says who they are; it weighs as an average one does.
FEWEST_BEARERS = 5
FEWEST_RECORDS = 200
_SEED = 1
_SAME_ADDRESS = "l.email_local = r.email_local and l.email_domain = r.email_domain"
# A level that one person never shows goes towards zero with each round; Splink ends at 1e-300.
_EM: dict[str, Any] = {"max_iterations": 6, "em_convergence": 0.003}
_SMALLEST_M = 2e-3
_SMALLEST_U = 2e-4

# How many times as often training first supposes to see an outcome among one person's records as
# among strangers of the same name; what is not listed is as frequent.
_STARTS = {
    "same e-mail address": 64,
    "e-mail addresses differ by a number": 1 / 4,
    "e-mail addresses nearly the same": 16,
    "same mailbox name elsewhere": 1 / 4,
    "same phone number": 64,
    "other phone number": 1 / 8,
    "same postal code": 4,
    "other country": 1 / 16,
    "same country, other postal code": 1 / 4,
    "same country": 4,
    "same date of birth": 64,
    "dates of birth nearly the same": 4,
    "other date of birth": 1 / 16,
    "same company": 16,
    "other company": 1 / 8,
    "entered within 3 days": 16,
    "entered within 30 days": 4,
    "entered at other times": 1 / 8,
    "records of different lists": 2,
    "records of one list": 1 / 4,
}

# Whose frequencies among strangers depend on the name that they share: a mailbox is named after it.
_NAMED_AFTER = {
    "e-mail addresses differ by a number",
    "same mailbox name elsewhere",
    "other e-mail address",
}

# The newest state of each record: training counts a person's record once.
_RECORDS = """
create table people as
select max_by(columns(* exclude (record_key)), (known_at, state_id)), record_key as unique_id
from warehouse.unify.int_record_states
group by record_key
order by record_key
"""


Levels = dict[str, dict[int, LevelProbabilities]]


def train_model(settings: Settings, *, pairs: float = 2e6) -> TrainedModel:
    """Learn the matcher's probabilities from the records of a home.

    Names are learnt from pairs that share an e-mail address (m) and from random pairs (u).
    Everything else is learnt among pairs of one full name, where it has to decide; what strangers
    share there by chance is known from the random pairs, but for mailboxes named after people.

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


def splink_settings(
    model: TrainedModel | None = None, *, strangers: Levels | None = None, **more: Any
) -> dict[str, Any]:
    """The comparisons as Splink's settings.

    Args:
        model: Whose probabilities to take; None for what training starts from.
        strangers: Leave out the names, and take from here what strangers share by chance.
        **more: Further settings.
    """
    comparisons = [each for each in COMPARISONS if each.given_name or strangers is None]
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "unique_id",
        "comparisons": [_splink_comparison(each, model, strangers) for each in comparisons],
        **({"probability_two_random_records_match": model.prior_probability} if model else {}),
        **more,
    }


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


def train_on(
    connection: duckdb.DuckDBPyConnection, pairs: float, named_by: str = _SAME_ADDRESS
) -> TrainedModel:
    """Learn from the table `people` of a connection: states of records, with a `unique_id`.

    Args:
        connection: Holds the table.
        pairs: Random pairs to look at.
        named_by: What pairs share from which names are learnt, over `l.` and `r.`.
    """
    from splink import DuckDBAPI, Linker

    logging.getLogger("splink").setLevel(logging.ERROR)
    people = DuckDBAPI(connection).register("people")
    linker = Linker(people, splink_settings(), log_level=logging.ERROR)
    linker.training.estimate_u_using_random_sampling(max_pairs=pairs, seed=_SEED)
    strangers = _proved(_levels(linker.misc.save_model_to_json()))
    by_email = linker.training.estimate_parameters_using_expectation_maximisation(
        named_by,
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
    named = _proved(_session_levels(by_email))
    given = _proved(_session_levels(by_name))
    proved = {
        comparison.name: (
            given[comparison.name]
            if comparison.given_name
            else _joined(named[comparison.name], strangers[comparison.name])
        )
        for comparison in COMPARISONS
    }
    share = by_name.core_model_settings.probability_two_random_records_match
    return TrainedModel(
        model_format=MODEL_FORMAT,
        comparisons_hash=comparisons_hash(),
        trained_on=_count(connection),
        prior_probability=_prior(share, proved),
        levels=proved,
        terms=_terms(connection),
    )


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


Found = dict[int, tuple[float | str | None, float | str | None]]


def _levels(saved: Mapping[str, Any]) -> dict[str, Found]:
    """m and u by comparison and level, out of Splink's settings as JSON."""
    return {
        comparison["output_column_name"]: {
            number: (level.get("m_probability"), level.get("u_probability"))
            for number, level in _numbered(comparison["comparison_levels"])
        }
        for comparison in saved["comparisons"]
    }


def _numbered(levels: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    told = [level for level in levels if not level.get("is_null_level")]
    return [(len(told) - 1 - place, level) for place, level in enumerate(told)]


def _session_levels(session: Any) -> dict[str, Found]:
    return {
        comparison.output_column_name: {
            level.comparison_vector_value: (level.m_probability, level.u_probability)
            for level in comparison.comparison_levels
            if not level.is_null_level
        }
        for comparison in session.core_model_settings.comparisons
    }


def _joined(
    named: dict[int, LevelProbabilities], strangers: dict[int, LevelProbabilities]
) -> dict[int, LevelProbabilities]:
    return {
        number: LevelProbabilities(m=found.m, u=strangers[number].u)
        for number, found in named.items()
    }


def _proved(found: Mapping[str, Found]) -> Levels:
    """Six digits of each; what was never seen has the smallest probability, not none."""
    return {
        name: {
            number: LevelProbabilities(m=_digits(m, _SMALLEST_M), u=_digits(u, _SMALLEST_U))
            for number, (m, u) in levels.items()
        }
        for name, levels in found.items()
    }


def _digits(value: float | str | None, smallest: float) -> float:
    number = value if isinstance(value, float) else smallest
    return float(f"{min(max(number, smallest), 1.0):.6g}")


def _splink_comparison(
    comparison: Comparison, model: TrainedModel | None, strangers: Levels | None
) -> dict[str, Any]:
    levels = []
    for level in comparison.levels:
        said: dict[str, Any] = {
            "sql_condition": splink_condition(level.condition) or "ELSE",
            "label_for_charts": level.label,
        }
        if level.number < 0:
            said["is_null_level"] = True
        elif model is not None:
            found = model.levels[comparison.name][level.number]
            said |= {"m_probability": found.m, "u_probability": found.u}
        elif comparison.given_name:
            starts = {
                each.number: _STARTS.get(each.label, 1.0)
                for each in comparison.levels
                if each.number >= 0
            }
            total = sum(start**0.5 for start in starts.values())
            inverse = sum(start**-0.5 for start in starts.values())
            said |= {
                "m_probability": starts[level.number] ** 0.5 / total,
                "u_probability": starts[level.number] ** -0.5 / inverse,
            }
            if strangers is not None and level.label not in _NAMED_AFTER:
                found = strangers[comparison.name][level.number]
                said |= {"u_probability": found.u, "fix_u_probability": True}
        if level.term is not None:
            said |= {"tf_adjustment_column": level.term, "tf_adjustment_weight": 1.0}
        levels.append(said)
    return {"output_column_name": comparison.name, "comparison_levels": levels}
