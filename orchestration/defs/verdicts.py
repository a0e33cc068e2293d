"""The gate's verdicts as asset check results, one for each table and one across tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

ACROSS_TABLES = "across_tables"


def verdict_results(
    results: Sequence[Mapping[str, Any]], products: Sequence[str]
) -> list[dg.AssetCheckResult]:
    """One result per check, failed where a rule of severity error is broken.

    Args:
        results: The gate's results: name, table, verdict, failing_count, samples.
        products: Names of the published tables; each has a check of its own.
    """
    by_check: dict[str, list[Mapping[str, Any]]] = {name: [] for name in [*products, ACROSS_TABLES]}
    for result in results:
        by_check[result["table"] if result["table"] in by_check else ACROSS_TABLES].append(result)
    return [_result(name, found) for name, found in by_check.items()]


def _result(name: str, results: Sequence[Mapping[str, Any]]) -> dg.AssetCheckResult:
    failed = [result for result in results if result["verdict"] == "failed"]
    troubled = [result for result in results if result["verdict"] != "passed"]
    metadata: dict[str, Any] = {
        "rules": len(results),
        "failed": ", ".join(str(result["name"]) for result in failed) or "-",
    }
    if troubled:
        metadata["failing_rows"] = sum(int(result["failing_count"]) for result in troubled)
        metadata["examples"] = dg.MetadataValue.table([_record(result) for result in troubled])
    return dg.AssetCheckResult(
        check_name=name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(str(result["description"]) for result in failed) or None,
        metadata=metadata,
    )


def _record(result: Mapping[str, Any]) -> dg.TableRecord:
    samples = "; ".join(
        ", ".join(f"{column}={value}" for column, value in sample.items())
        for sample in result["samples"]
    )
    return dg.TableRecord(
        {
            "rule": str(result["name"]),
            "verdict": str(result["verdict"]),
            "what must hold": str(result["description"]),
            "rows that break it": int(result["failing_count"]),
            "such as": str(result.get("detail") or samples),
        }
    )
