"""Writes `identity.yml`, `consent.yml`, the decisions and the trained matcher as tables.

The tables are those of the schema `config` that the stage unify reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import get_args

import duckdb

from orchestration import warehouse
from orchestration.settings import Settings
from orchestration.unify.consent import consent_rows, load_consents
from orchestration.unify.decisions import Decision, load_decisions
from orchestration.unify.model import (
    TrainedModel,
    level_weights,
    load_model,
    term_weights,
    threshold_of,
    unlike_name_share,
)
from orchestration.unify.rules import IdentityRules, RecordAttribute, load_identity_rules

_TABLES = {
    "identity_rules": "rule text, identifier_type text, guard text, fan_out_cap integer, "
    "trust integer, is_enabled boolean",
    "identity_combinations": "rule text, "
    + ", ".join(f"uses_{attribute} boolean" for attribute in get_args(RecordAttribute)),
    "identity_blocked_values": "identifier_type text, pattern text, reason text",
    "identity_first_names": "first_name text, name_group integer",
    "identity_types": "identifier_type text, normaliser text",
    "identity_settings": "normaliser_settings text, block_cap integer, prior_weight integer, "
    "merge_weight integer, review_weight integer, certain_weight integer, "
    "is_first_name_needed boolean",
    "identity_decisions": "decision_id text, decision text, left_record_key text, "
    "right_record_key text, author text, reason text, decided_at timestamp",
    "identity_cluster_limits": "cluster_limit text, attribute text, at_most integer, refuses text",
    "consent_purposes": "purpose text, channel text, jurisdiction text, "
    "is_permitted_unsaid boolean",
    "household_rules": "rule text, trust integer, uses_phone boolean, uses_last_name boolean, "
    "uses_postal_code boolean, uses_country boolean",
    "household_settings": "size_cap integer",
    "identity_survivorship": "attribute text, survivorship_rule text",
    "identity_source_priorities": "attribute text, source text, priority integer",
    "identity_level_weights": "comparison text, level integer, label text, weight integer",
    "identity_term_weights": "comparison text, term text, weight integer",
}


def write_identity_tables(settings: Settings) -> None:
    """Replace the tables by what the files say now.

    Raises:
        JourneylineError: A file is missing or not valid.
    """
    rules = load_identity_rules(settings)
    model = load_model(settings.config / rules.probabilistic.model) if rules.probabilistic else None
    decisions = load_decisions(settings)
    consents = load_consents(settings)
    connection = warehouse.connect(settings.warehouse)
    try:
        as_of = _as_of(connection)
        in_force = [each for each in decisions if as_of is None or each.decided_at <= as_of]
        rows = identity_rows(rules, in_force, model)
        rows["consent_purposes"] = consent_rows(consents)
        warehouse.replace_config_tables(connection, _TABLES, rows)
    finally:
        connection.close()


def _as_of(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """The run's as-of; a decision that lies after it is not in force yet."""
    try:
        row = connection.execute("select max(as_of) from pipeline.clock").fetchone()
    except duckdb.CatalogException:
        return None
    return row[0] if row else None


def identity_rows(
    rules: IdentityRules,
    decisions: Sequence[Decision] = (),
    model: TrainedModel | None = None,
) -> dict[str, list[tuple[object, ...]]]:
    """The rows of each `config.identity_*` table.

    Args:
        rules: `identity.yml`.
        decisions: `identity_decisions.yml`, as far as it is in force.
        model: The trained matcher that the rules name, if any.

    Returns:
        Table name to rows; `name_group` numbers the lists of `same_first_names` from 1. Without a
        trained matcher the settings' weights are null.
    """
    fuzzy = rules.probabilistic
    weights: tuple[object, ...] = (None,) * 6
    if fuzzy is not None and model is not None:
        weights = (
            fuzzy.block_cap,
            threshold_of(model.prior_probability),
            threshold_of(fuzzy.merge_probability),
            threshold_of(fuzzy.review_probability),
            threshold_of(fuzzy.certain_probability),
            unlike_name_share(model) < fuzzy.unlike_names_merge_from,
        )
    return {
        "identity_rules": [
            (rule.rule, rule.compares, rule.guard, rule.fan_out_cap, trust, rule.enabled)
            for trust, rule in enumerate(rules.rules, start=1)
        ],
        "identity_combinations": [
            (rule.rule, *(name in rule.combination for name in get_args(RecordAttribute)))
            for rule in rules.rules
            if rule.combination
        ],
        "identity_blocked_values": sorted(
            {(value.identifier_type, value.pattern, value.reason) for value in rules.blocked_values}
        ),
        "identity_first_names": [
            (name, group)
            for group, names in enumerate(rules.same_first_names, start=1)
            for name in dict.fromkeys(names)
        ],
        "identity_settings": [(rules.normalisers.model_dump_json(), *weights)],
        "identity_types": [
            ("user_id", "exact"),
            ("email", "email"),
            ("phone", "phone"),
            *((own.identifier_type, own.normaliser) for own in rules.identifier_types),
        ],
        "identity_decisions": [
            (
                decision.decision_id,
                decision.decision,
                *decision.records,
                decision.author,
                decision.reason,
                decision.decided_at,
            )
            for decision in decisions
        ],
        "identity_cluster_limits": [
            (limit.limit, limit.attribute, limit.at_most, limit.refuses)
            for limit in rules.cluster_limits
        ],
        "household_rules": [
            (
                rule.rule,
                trust,
                *(name in rule.shares for name in ("phone", "last_name", "postal_code", "country")),
            )
            for trust, rule in enumerate(rules.households.rules, start=1)
        ],
        "household_settings": [(rules.households.size_cap,)],
        "identity_survivorship": [
            (attribute, survivorship.rule) for attribute, survivorship in rules.survivorship.items()
        ],
        "identity_source_priorities": [
            (attribute, source, priority)
            for attribute, survivorship in rules.survivorship.items()
            for priority, source in enumerate(survivorship.sources, start=1)
        ],
        "identity_level_weights": [*level_weights(model)] if model is not None else [],
        "identity_term_weights": [*term_weights(model)] if model is not None else [],
    }
