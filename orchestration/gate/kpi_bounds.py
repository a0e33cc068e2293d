"""The bounds of the KPIs, as the gate reads them from `orchestration/config/kpis.yml`."""

from __future__ import annotations

from typing import Any

import yaml

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.gate.checks import KpiBound
from orchestration.settings import Settings


def load_kpi_bounds(settings: Settings) -> tuple[KpiBound, ...]:
    """The bounds that `kpis.yml` sets; none where there is no such file.

    Raises:
        JourneylineError: The file cannot be read as a list of KPIs (exit 2).
    """
    path = settings.config / "kpis.yml"
    if not path.exists():
        return ()
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["kpis"]
        return tuple(_bound(entry) for entry in entries if entry.get("bounds"))
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise JourneylineError(
            f"The bounds of the KPIs cannot be read: {error}",
            str(path),
            "Give each KPI `bounds: {minimum: …, maximum: …}` with numbers, or leave them out.",
            EXIT_USAGE,
        ) from error


def _bound(entry: dict[str, Any]) -> KpiBound:
    bounds = entry["bounds"]
    return KpiBound(
        kpi=str(entry["kpi"]),
        minimum=None if bounds.get("minimum") is None else float(bounds["minimum"]),
        maximum=None if bounds.get("maximum") is None else float(bounds["maximum"]),
    )
