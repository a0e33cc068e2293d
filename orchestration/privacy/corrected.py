"""Broken rows of a person that only their correction names.

A row may be broken in the very value that says whose it is. Once it was corrected, the act that
discarded it names the delivery that took its place; whoever is erased from that one is erased from
the rows that it stands for. Which of several it was nobody recorded, so all of them go: they were
discarded for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestration.ingest.acts import read_acts
from orchestration.ingest.contracts import Contract
from orchestration.ingest.landing import Delivery
from orchestration.ingest.unpacking import Refused
from orchestration.privacy import screening
from orchestration.settings import Settings

Place = tuple[str, str, str]


def corrected_rows(
    settings: Settings,
    contracts: Mapping[tuple[str, str], Contract],
    corrections: Iterable[Place],
) -> list[tuple[Delivery, screening.Row]]:
    """The broken rows that corrections took the place of, as far as they are still in landing.

    Args:
        settings: The home folder.
        contracts: Contracts by source and entity.
        corrections: Source, entity and id of the deliveries of which rows are the person's.
    """
    wanted = set(corrections)
    broken: dict[Place, set[int]] = {}
    for act in read_acts(settings):
        if (act.source, act.entity, act.delivered_as) in wanted:
            for delivery_id, runs in act.rows.items():
                numbers = broken.setdefault((act.source, act.entity, delivery_id), set())
                numbers |= {number for first, last in runs for number in range(first, last + 1)}
    found = []
    for delivery in screening.deliveries(settings) if broken else ():
        place = (delivery.source, delivery.entity, delivery.delivery_id)
        if place not in broken:
            continue
        numbers = broken[place]
        contract = contracts.get((delivery.source, delivery.entity))
        try:
            rows = [row for row in screening.rows_of(delivery, contract) if row.number in numbers]
        except (Refused, OSError):
            continue
        found += [(delivery, row) for row in rows]
    return found
