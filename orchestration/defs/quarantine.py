"""The quarantine of each source table as metadata of its asset: counts, masked samples, trend."""

from typing import Any

import dagster as dg

from orchestration.ingest.trends import QuarantineTrend, quarantine_trends
from orchestration.settings import Settings


def quarantine_metadata(settings: Settings) -> dict[str, dict[str, Any]]:
    """Metadata by `source/entity`; the counts are plotted over the runs by the UI."""
    if not settings.warehouse.exists():
        return {}
    return {
        label: {
            "quarantine_waiting_rows": trend.waiting_count,
            "quarantine_discarded_rows": trend.discarded_count,
            "quarantine_trend": dg.MetadataValue.md(_trend(trend)),
            "quarantine_samples": dg.MetadataValue.md(_samples(trend)),
        }
        for label, trend in quarantine_trends(settings).items()
    }


def _trend(trend: QuarantineTrend) -> str:
    lines = ["| night | landed | quarantined | share |", "| --- | ---: | ---: | ---: |"]
    for night in trend.nights:
        share = night.quarantined_count / night.landed_count if night.landed_count else 0
        lines.append(
            f"| {night.night} | {night.landed_count} | {night.quarantined_count} | {share:.2%} |"
        )
    return "\n".join(lines)


def _samples(trend: QuarantineTrend) -> str:
    if not trend.samples:
        return "Nothing is in quarantine."
    lines = ["| rule | column | rows | a value, masked |", "| --- | --- | ---: | --- |"]
    for sample in trend.samples:
        value = "-" if sample.masked_value is None else f"`{sample.masked_value}`"
        lines.append(
            f"| {sample.rule} | {sample.column_name or '-'} | {sample.row_count} | {value} |"
        )
    return "\n".join(lines)
