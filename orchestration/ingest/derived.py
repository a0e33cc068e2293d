"""What is derived from the source contracts: dbt's source and staging YAML, feeds, own identifiers.

`journeyline contracts sync` writes these files and a project test proves that none has drifted.
The staging models themselves are written by hand; their select lists are read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.contracts import FEEDS, Contract, load_contracts
from orchestration.ingest.derived_identifiers import own_identifiers_macro
from orchestration.ingest.sources import Source, load_sources
from orchestration.settings import Settings
from orchestration.unify.rules import load_identity_rules

_LINEAGE = {
    "_delivery_id": "Delivery that brought the row.",
    "_load_number": "Load that took the row; derived, never published.",
    "_row_number": "Place of the row in its delivery.",
    "_row_hash": "Hash of the row's content; tells versions apart and breaks ties.",
    "_received_at": "When the delivery was received; the time from which the row is known.",
}
_SELECTED = re.compile(r"\bselect\b(.*?)\bfrom\b", re.DOTALL)
_ITEM = re.compile(r"(\w+)(?:\s+as\s+(\w+))?")
_WRITTEN_BY = "Written by `journeyline contracts sync` from data_contracts/sources/; do not edit."


def derive_files(settings: Settings) -> dict[Path, str]:
    """The derived files as they should be: their paths and their texts.

    Raises:
        JourneylineError: A contract, `sources.yml` or a staging model says what cannot be.
    """
    sources = load_sources(settings)
    tables: dict[str, list[Contract]] = {name: [] for name in sources}
    for contract in load_contracts(settings).values():
        if contract.source not in tables:
            raise JourneylineError(
                f"A contract belongs to no source: {contract.source} is not listed.",
                where=f"{contract.source}.{contract.entity}.odcs.yaml",
                next_step=f"Add {contract.source} to {settings.config / 'sources.yml'}.",
                exit_code=EXIT_USAGE,
            )
        tables[contract.source].append(contract)
    staged = {
        contract.label: _staged_columns(settings, contract)
        for contracts in tables.values()
        for contract in contracts
    }
    off = _switched_off(settings, sources, tables)
    models = settings.dbt_project / "models"
    files = {models / "sources" / "raw.yml": _sources_yaml(sources, tables)}
    for source, contracts in tables.items():
        described = [contract for contract in contracts if staged[contract.label]]
        if described:
            path = models / "staging" / source / f"_{source}.yml"
            files[path] = _staging_yaml(sources[source], described, staged, off)
    macros = settings.dbt_project / "macros"
    files[macros / "feeds.sql"] = _feeds_macro(tables, staged, off)
    files[macros / "own_identifiers.sql"] = own_identifiers_macro(
        load_identity_rules(settings).identifier_types,
        {(each.source, each.entity): each for group in tables.values() for each in group},
        staged,
    )
    return files


def require_feeds(settings: Settings) -> None:
    """Refuse to run where the feeds are not those of the contracts and the enabled sources.

    Raises:
        JourneylineError: What a source delivers would reach no model (exit 2).
    """
    path = settings.dbt_project / "macros" / "feeds.sql"
    if path.read_text(encoding="utf-8") != derive_files(settings)[path]:
        raise JourneylineError(
            "A source was switched on or off, or a contract changed, and dbt does not know it yet.",
            where=str(path),
            next_step="Type `journeyline contracts sync`.",
            exit_code=EXIT_USAGE,
        )


def drifted_files(settings: Settings) -> list[Path]:
    """The derived files whose text is not what the contracts say."""
    return [
        path
        for path, text in derive_files(settings).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def sync_files(settings: Settings) -> list[Path]:
    """Write the derived files that have drifted; returns them."""
    texts = derive_files(settings)
    drifted = drifted_files(settings)
    for path in drifted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path], encoding="utf-8")
    return drifted


def staging_model(contract: Contract) -> str:
    """The name of a table's staging model."""
    return f"stg_{contract.source}__{contract.entity}"


def _switched_off(
    settings: Settings, sources: Mapping[str, Source], tables: Mapping[str, list[Contract]]
) -> frozenset[str]:
    """Tables of disabled sources whose staging model dbt can do without.

    A model that another model or a unit test names stays; it is empty while its source is off.
    """
    disabled = [
        contract
        for name, contracts in tables.items()
        if not sources[name].enabled
        for contract in contracts
    ]
    if not disabled:
        return frozenset()
    folder = settings.dbt_project / "models"
    paths = [*folder.rglob("*.sql"), *folder.rglob("*.yml")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(paths))
    named = set(re.findall(r"ref\('(stg_\w+)'\)", text))
    return frozenset(c.label for c in disabled if staging_model(c) not in named)


def _staged_columns(settings: Settings, contract: Contract) -> dict[str, str]:
    """Columns of the staging model and the raw columns they are; empty where it has no model."""
    name = staging_model(contract)
    path = settings.dbt_project / "models" / "staging" / contract.source / f"{name}.sql"
    if not path.exists():
        if contract.feeds:
            raise JourneylineError(
                f"{contract.label} feeds {contract.feeds[0]} but has no staging model.",
                where=str(path),
                next_step="Write the model, or leave `feeds` out of the contract.",
                exit_code=EXIT_USAGE,
            )
        return {}
    known = {column.name for column in contract.columns} | set(_LINEAGE)
    found = _SELECTED.search(path.read_text(encoding="utf-8"))
    columns: dict[str, str] = {}
    for item in (found.group(1) if found else "").split(","):
        match = _ITEM.fullmatch(item.strip())
        if match is not None and match.group(1) in known:
            columns[match.group(2) or match.group(1)] = match.group(1)
        elif item.strip():
            raise JourneylineError(
                f"The staging model selects `{item.strip()}`, which its contract does not list.",
                where=str(path),
                next_step="Staging renames and selects columns of the contract, nothing else.",
                exit_code=EXIT_USAGE,
            )
    return columns


def _sources_yaml(sources: Mapping[str, Source], tables: Mapping[str, list[Contract]]) -> str:
    lines = ["version: 2", "", f"# {_WRITTEN_BY}", "sources:"]
    for name, contracts in tables.items():
        if not contracts:
            continue
        vendor = sources[name].vendor
        lines += [
            f"  - name: {name}",
            "    schema: raw",
            f"    description: {_text(f'What {vendor} delivered, typed and append-only.')}",
            "    tables:",
        ]
        for contract in contracts:
            identifier = f"{name}__{contract.entity}"
            described = _text(f"{contract.purpose} {contract.granularity}".strip())
            lines += [
                f"      - name: {contract.entity}",
                f"        identifier: {identifier}",
                f"        description: {described}",
            ]
    return "\n".join(lines) + "\n"


def _staging_yaml(
    source: Source,
    contracts: list[Contract],
    staged: Mapping[str, Mapping[str, str]],
    off: frozenset[str],
) -> str:
    lines = ["version: 2", "", f"# {_WRITTEN_BY}", "models:"]
    for contract in contracts:
        columns = staged[contract.label]
        switch = ", enabled: false" if contract.label in off else ""
        described = f"{contract.purpose} {contract.granularity} As {source.vendor} delivered it."
        lines += [
            f"  - name: {staging_model(contract)}",
            f"    description: {_text(described)}",
            f"    config: {{tags: [phase_records]{switch}}}",
            "    data_tests:",
            "      - grain:",
            "          arguments:",
            *_grain(contract, columns),
            "    columns:",
        ]
        meanings = {column.name: column.meaning for column in contract.columns} | _LINEAGE
        for name, raw in columns.items():
            lines.append(f"      - {{name: {name}, description: {_text(meanings[raw])}}}")
    return "\n".join(lines) + "\n"


def _grain(contract: Contract, columns: Mapping[str, str]) -> list[str]:
    staged = {raw: name for name, raw in columns.items()}
    keys = list(contract.key_columns)
    if not keys:
        keys = ["_delivery_id", "_row_number"]
    elif contract.version_column is not None:
        keys.append("_row_hash")
    required = {column.name for column in contract.columns if column.is_required} | set(_LINEAGE)
    names = [staged.get(key, key) for key in keys]
    nullable = [staged.get(key, key) for key in keys if key not in required]
    lines = [f"            columns: [{', '.join(names)}]"]
    if nullable:
        lines.append(f"            nullable: [{', '.join(nullable)}]")
    return lines


def _feeds_macro(
    tables: Mapping[str, list[Contract]],
    staged: Mapping[str, Mapping[str, str]],
    off: frozenset[str],
) -> str:
    lines = [
        f"{{#- {_WRITTEN_BY}",
        "    The staging models that speak a vocabulary (`feeds` in their contract). -#}",
        "{% macro feeds(kind) -%}",
        "    {{ return({",
    ]
    for kind in FEEDS:
        lines.append(f"        '{kind}': [")
        for contracts in tables.values():
            for contract in contracts:
                if kind in contract.feeds and contract.label not in off:
                    lines += [
                        "            {",
                        f"                'source': '{contract.source}',",
                        f"                'entity': '{contract.entity}',",
                        f"                'model': '{staging_model(contract)}',",
                        "                'columns': [",
                        *(f"                    '{name}'," for name in staged[contract.label]),
                        "                ],",
                        *_spoken(contract),
                        "            },",
                    ]
        lines.append("        ],")
    lines += ["    }[kind]) }}", "{%- endmacro %}"]
    return "\n".join(lines) + "\n"


def _spoken(contract: Contract) -> list[str]:
    if not contract.speaks:
        return []
    spoken = [
        f"                    '{n}': {json.dumps(sql)}," for n, sql in contract.speaks.items()
    ]
    return ["                'speaks': {", *spoken, "                },"]


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
