"""The macro that names the columns of own identifier types, derived from `identity.yml`.

`derived` writes it beside the other derived files. What the types mean is `unify.rules`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.contracts import Contract
from orchestration.unify.rules import OwnIdentifierType


def own_identifiers_macro(
    types: list[OwnIdentifierType],
    contracts: Mapping[tuple[str, str], Contract],
    staged: Mapping[str, Mapping[str, str]],
) -> str:
    """The macro file `own_identifiers.sql`.

    Args:
        types: Own types of `identity.yml`.
        contracts: Source contracts by source and entity.
        staged: By label of the table: columns of its staging model and the raw columns they are.

    Raises:
        JourneylineError: A column is in no contract, is not staged, or its table has no record id.
    """
    lines = [
        "{#- Written by `journeyline contracts sync` from identity.yml; do not edit.",
        "    The columns that hold identifiers of your own types. -#}",
        "{% macro own_identifiers() -%}",
        "    {{ return([",
    ]
    for own in types:
        for held in own.held_by:
            lines += _entry(own.identifier_type, held, contracts, staged)
    return "\n".join([*lines, "    ]) }}", "{%- endmacro %}"]) + "\n"


def _entry(
    identifier_type: str,
    held: str,
    contracts: Mapping[tuple[str, str], Contract],
    staged: Mapping[str, Mapping[str, str]],
) -> list[str]:
    source, entity, column = held.split(".")
    contract = contracts.get((source, entity))
    if contract is None:
        raise _impossible(held, f"there is no contract of {source}/{entity}")
    names = {raw: name for name, raw in staged[contract.label].items()}
    if len(contract.key_columns) != 1:
        raise _impossible(held, f"{contract.label} has no one column that names a record")
    needed = [column, *contract.key_columns, contract.version_column or "_received_at"]
    for raw in [*needed, "_received_at", "_load_number"]:
        if raw not in names:
            raise _impossible(held, f"the staging model of {contract.label} selects no {raw}")
    return [
        "        {",
        f"            'identifier_type': '{identifier_type}',",
        f"            'source': '{source}',",
        f"            'entity': '{entity}',",
        f"            'model': 'stg_{source}__{entity}',",
        *(
            f"            '{role}': '{names[raw]}',"
            for role, raw in zip(("column", "record_id", "version_at"), needed, strict=True)
        ),
        "        },",
    ]


def _impossible(held: str, why: str) -> JourneylineError:
    return JourneylineError(
        f"An own identifier cannot be read: {why}.",
        f"identity.yml, held_by {held}",
        "Name a column of a source contract, written source.entity.column, that the staging model "
        "selects.",
        EXIT_USAGE,
    )
