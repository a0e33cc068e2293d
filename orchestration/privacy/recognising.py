"""Which delivered rows name somebody whose handles are known as keyed hashes alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestration.ingest.contracts import Contract
from orchestration.ingest.landing import Delivery
from orchestration.ingest.unpacking import Refused
from orchestration.privacy import screening
from orchestration.privacy.corrected import corrected_rows
from orchestration.privacy.handles import ROW, Hash, Privacy, handles_of, row_handle
from orchestration.settings import Settings
from orchestration.unify.rules import IdentityRules


class RowReader:
    """Reads deliveries and tells which rows name somebody.

    Args:
        privacy: What names a person.
        contracts: Contracts by source and entity.
        hashed: The keyed hash of a handle.
        rules: How identifiers are compared.
    """

    def __init__(
        self,
        privacy: Privacy,
        contracts: Mapping[tuple[str, str], Contract],
        hashed: Hash,
        rules: IdentityRules,
    ) -> None:
        self._privacy = privacy
        self._contracts = contracts
        self._hashed = hashed
        self._normalisers, self._own_types = rules.normalisers, rules.own_types

    def screen(self, delivery: Delivery, hashes: set[str]) -> screening.Screened | None:
        """The rows of a delivery that name somebody with one of these hashes."""
        table = f"{delivery.source}/{delivery.entity}"
        domains = self._privacy.subjects.get(table, {})
        has_rows = any(value.startswith(ROW) for value in hashes)

        def is_erased(fields: Mapping[str, Any], text: str) -> bool:
            handles = handles_of(fields, text, domains, self._normalisers, self._own_types)
            if has_rows:
                handles.add(row_handle(table, text))
            return any(self._hashed(handle) in hashes for handle in handles)

        contract = self._contracts.get((delivery.source, delivery.entity))
        return screening.screen(delivery, contract, is_erased)

    def corrected(self, settings: Settings, named: Iterable[screening.Screened]) -> set[str]:
        """Hashes of the broken rows whose correction names the person."""
        places = (
            (item.delivery.source, item.delivery.entity, item.delivery.delivery_id)
            for item in named
        )
        return {
            self._hashed(row_handle(f"{delivery.source}/{delivery.entity}", row.text))
            for delivery, row in corrected_rows(settings, self._contracts, places)
        }

    def belongings(self, settings: Settings, hashes: set[str]) -> set[str]:
        """Hashes of what belongs to the person whole, such as the tickets that they opened."""
        found: set[str] = set()
        for domain, belonging in self._privacy.belongings.items():
            owner_domain = self._privacy.subjects[belonging.table][belonging.owner]
            for delivery in screening.deliveries(settings):
                if f"{delivery.source}/{delivery.entity}" != belonging.table:
                    continue
                contract = self._contracts.get((delivery.source, delivery.entity))
                for row in _readable_rows(delivery, contract):
                    owner, owned = row.get(belonging.owner), row.get(belonging.owned)
                    if owned and self._hashed((owner_domain, str(owner))) in hashes:
                        found.add(self._hashed((domain, str(owned))))
        return found


def _readable_rows(delivery: Delivery, contract: Contract | None) -> list[Mapping[str, Any]]:
    try:
        return [row.fields for row in screening.rows_of(delivery, contract)]
    except (Refused, OSError):
        return []
