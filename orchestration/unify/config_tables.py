"""Writes `identity.yml` as tables of the schema `config`, which dbt reads as sources."""

from __future__ import annotations

from orchestration import warehouse
from orchestration.settings import Settings
from orchestration.unify.rules import IdentityRules, load_identity_rules

_TABLES = {
    "identity_rules": "rule text, identifier_type text, guard text, fan_out_cap integer, "
    "trust integer, is_enabled boolean",
    "identity_blocked_values": "identifier_type text, pattern text, reason text",
    "identity_first_names": "first_name text, name_group integer",
    "identity_settings": "default_phone_prefix text",
}


def write_identity_tables(settings: Settings) -> None:
    """Replace the `config.identity_*` tables by what `identity.yml` says now.

    Raises:
        JourneylineError: `identity.yml` is missing or not valid.
    """
    rows = identity_rows(load_identity_rules(settings))
    connection = warehouse.connect(settings.warehouse)
    try:
        connection.execute("create schema if not exists config")
        connection.execute("begin")
        for name, columns in _TABLES.items():
            connection.execute(f"create or replace table config.{name} ({columns})")
            marks = ", ".join("?" for _ in columns.split(","))
            if rows[name]:
                connection.executemany(f"insert into config.{name} values ({marks})", rows[name])
        connection.execute("commit")
    finally:
        connection.close()


def identity_rows(rules: IdentityRules) -> dict[str, list[tuple[object, ...]]]:
    """The rows of each `config.identity_*` table.

    Returns:
        Table name to rows; `name_group` numbers the lists of `same_first_names` from 1.
    """
    return {
        "identity_rules": [
            (rule.rule, rule.identifier_type, rule.guard, rule.fan_out_cap, trust, rule.enabled)
            for trust, rule in enumerate(rules.rules, start=1)
        ],
        "identity_blocked_values": sorted(
            {(value.identifier_type, value.pattern, value.reason) for value in rules.blocked_values}
        ),
        "identity_first_names": [
            (name, group)
            for group, names in enumerate(rules.same_first_names, start=1)
            for name in dict.fromkeys(names)
        ],
        "identity_settings": [(rules.default_phone_prefix,)],
    }
