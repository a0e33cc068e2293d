"""What a publication begins from: the night's instant, the contracts, and what is served.

Belongs here: reading what stands before anything is built. What of the served release can be taken
over belongs to `proved`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from orchestration.errors import JourneylineError
from orchestration.gate.contracts import ProductContract, load_product_contracts
from orchestration.gate.versions import read_served, refuse_breaking_changes, served_contracts
from orchestration.publish import database, manifest
from orchestration.settings import Settings


def read_as_of(settings: Settings) -> datetime:
    """The instant that the warehouse is as of, UTC without zone.

    Raises:
        JourneylineError: Nothing was loaded yet.
    """
    with database.reading(settings.warehouse) as connection:
        row = connection.execute("select max(as_of) from pipeline.clock").fetchone()
    if row is None or row[0] is None:
        raise JourneylineError(
            "Nothing was loaded yet, so there is nothing to publish.",
            str(settings.warehouse),
            "Land a delivery, or make a demo company with `journeyline demo`, then run.",
        )
    instant: datetime = row[0]
    return instant


def contracts_to_serve(settings: Settings, known: dict[str, Any]) -> tuple[ProductContract, ...]:
    """The contracts to publish by, proved not to break what the current release serves.

    Args:
        settings: Home and project.
        known: Manifest of the release that is served; empty where none is.

    Raises:
        JourneylineError: A contract breaks what is served, or is no contract.
    """
    given = load_product_contracts(settings.contracts / "products")
    contracts = served_contracts(given, read_as_of(settings))
    if known:
        with database.reading(settings.current.resolve() / database.FILE_NAME) as connection:
            served = read_served(connection)
        versions = {table: entry["contract_version"] for table, entry in known["tables"].items()}
        expired = [contract for contract in given if contract not in contracts]
        refuse_breaking_changes(contracts, expired, served, versions)
    return contracts


def current_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest of the release that is served; empty where none is."""
    if not settings.current.is_symlink():
        return {}
    return manifest.read_manifest(settings.current.resolve())


def rows_of(known: dict[str, Any]) -> dict[str, int]:
    """Rows per table, as a manifest has them."""
    return {table: int(entry["rows"]) for table, entry in known.get("tables", {}).items()}
