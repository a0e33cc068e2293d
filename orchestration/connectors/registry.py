"""Which tables the entries of `sources.yml` fetch, and through which feed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from orchestration.connectors.entries import (
    Connector,
    EltEntry,
    RestEntry,
    RestTable,
    StorageEntry,
)
from orchestration.connectors.feeds import Feed
from orchestration.connectors.fetching import Fetchable, fingerprint_of
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.contracts import Contract, load_contracts
from orchestration.ingest.sources import Source, load_sources
from orchestration.settings import Settings


def has_connectors(settings: Settings) -> bool:
    """Whether any enabled source has a connector entry."""
    return bool(_with_entries(settings))


def fetchable_labels(settings: Settings, wanted: Iterable[str] = ()) -> list[str]:
    """`source/entity` of what can be fetched, in the order of `sources.yml`.

    Args:
        settings: Home and project.
        wanted: `source` or `source/entity`; nothing means everything.

    Raises:
        JourneylineError: Nothing can be fetched, or something wanted cannot (exit 2).
    """
    known = [
        f"{source.name}/{entity}"
        for source in _with_entries(settings)
        for entity in _tables(source.connector)
    ]
    chosen = list(wanted)
    if not known:
        raise _unknown(settings, "No enabled source has a connector")
    for one in chosen:
        if one not in known and not any(label.split("/")[0] == one for label in known):
            raise _unknown(settings, f"{one} has no connector")
    return [x for x in known if not chosen or x in chosen or x.split("/")[0] in chosen]


def fetchable(settings: Settings, label: str) -> Fetchable:
    """The table of that name, ready to be fetched.

    Raises:
        JourneylineError: Entry and contract do not fit, or a secret is missing (exit 2).
    """
    name, entity = label.split("/")
    source = load_sources(settings)[name]
    contract = load_contracts(settings).get((name, entity))
    if contract is None:
        raise JourneylineError(
            f"{label} has a connector but no contract.",
            where=str(settings.contracts / "sources" / f"{name}.{entity}.odcs.yaml"),
            next_step="Write the table's contract, or take the table out of the entry.",
            exit_code=EXIT_USAGE,
        )
    entry = source.connector
    assert entry is not None
    table = entry.tables[entity]
    columns = dict(table.columns) if isinstance(table, RestTable) else {}
    _fits(settings, contract, entry, columns)
    folder = settings.connectors / name / entity
    return Fetchable(
        contract=contract,
        feed=_feed(entry, contract, folder, settings),
        fingerprint=fingerprint_of(entry.model_dump_json(), contract.fingerprint),
        columns=columns,
        max_pages=entry.max_pages,
    )


def _feed(entry: Connector, contract: Contract, folder: Path, settings: Settings) -> Feed:
    if isinstance(entry, RestEntry):
        return _rest_feed(entry, contract)
    if isinstance(entry, StorageEntry):
        from orchestration.connectors.object_storage import StorageFeed

        return StorageFeed(entry, contract, entry.tables[contract.entity], folder)
    if isinstance(entry, EltEntry):
        from orchestration.connectors.elt import EltFeed

        return EltFeed(entry, contract)
    table = entry.tables[contract.entity]
    if entry.kind == "postgresql":
        from orchestration.connectors.postgresql import PostgresFeed

        return PostgresFeed(entry, contract, table, settings)
    from orchestration.connectors.sql_url import SqlUrlFeed

    return SqlUrlFeed(entry, contract, table, settings)


def _rest_feed(entry: RestEntry, contract: Contract) -> Feed:
    from orchestration.connectors import (
        hubspot,
        intercom,
        mailchimp,
        pipedrive,
        salesforce,
        zendesk,
    )
    from orchestration.connectors.hubspot_events import EmailEventsFeed
    from orchestration.connectors.mailchimp_activity import ActivityFeed

    entity = contract.entity
    vendors: dict[str, tuple[tuple[str, ...], Callable[..., Feed]]] = {
        "hubspot": (
            hubspot.TABLES,
            EmailEventsFeed if entity == "email_events" else hubspot.HubSpotFeed,
        ),
        "intercom": (intercom.TABLES, intercom.IntercomFeed),
        "pipedrive": (pipedrive.TABLES, pipedrive.PipedriveFeed),
        "salesforce": (salesforce.TABLES, salesforce.SalesforceFeed),
        "mailchimp": (
            mailchimp.TABLES,
            ActivityFeed if entity == "email_activity" else mailchimp.MailchimpFeed,
        ),
        "zendesk": (zendesk.TABLES, zendesk.ZendeskFeed),
    }
    tables, feed = vendors[entry.kind]
    if entity not in tables:
        raise JourneylineError(
            f"{entry.kind} has no table {entity} that can be fetched.",
            where=f"connector of {contract.source} in orchestration/config/sources.yml",
            next_step=f"It has {', '.join(tables)}.",
            exit_code=EXIT_USAGE,
        )
    return feed(entry, contract, entry.tables[entity])


def _fits(
    settings: Settings, contract: Contract, entry: Connector, columns: dict[str, str]
) -> None:
    """Prove that the contract reads what the connector lands."""
    if isinstance(entry, StorageEntry):
        return
    is_plain = contract.encoding == "utf-8" and contract.trailer is None
    if contract.format not in ("ndjson", "csv") or not is_plain:
        wrong = f"{contract.label} does not read what a connector lands: ndjson or csv in UTF-8"
        then = "Let the contract read ndjson, without a trailer."
    elif isinstance(entry, RestEntry) and (contract.format == "csv") != bool(columns):
        named = "which has no columns" if columns else "and its connector names no columns"
        wrong = f"{contract.label} reads {contract.format}, {named}"
        then = (
            "A contract that reads csv needs `columns:` (header: JSON path) in the table's entry; "
            "one that reads ndjson must not have it (docs/connectors.md)."
        )
    else:
        return
    raise JourneylineError(f"{wrong}.", str(settings.config / "sources.yml"), then, EXIT_USAGE)


def _with_entries(settings: Settings) -> list[Source]:
    return [s for s in load_sources(settings).values() if s.enabled and s.connector is not None]


def _tables(entry: Connector | None) -> Iterable[str]:
    return entry.tables if entry is not None else ()


def _unknown(settings: Settings, what: str) -> JourneylineError:
    return JourneylineError(
        f"{what}.",
        where=str(settings.config / "sources.yml"),
        next_step="Give the source a `connector:` entry; docs/connectors.md shows the lines.",
        exit_code=EXIT_USAGE,
    )
