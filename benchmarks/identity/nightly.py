"""From records to clusters: what the last nights of a demo company cost beside all of it at once.

Belongs here: the CPU time of each model of dbt's first phase, in a run of its own that takes what
landed up to a night. Loading, the id ledger and the marts are no part of it.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.document import table
from benchmarks.measuring import Measurement, cpu_spent, machine, measured, versions
from orchestration import warehouse
from orchestration.settings import Settings

LIMIT_BYTES = 16 << 30
_COLUMNS = (
    *("models", "all at once, CPU s", "the nights, CPU s", "share"),
    "a run with nothing new, CPU s",
)
# What a model is part of, by the first of these that its name holds.
_PARTS = {
    "records and what they say": ("int_record", "int_identifier", "int_vendor", "versions"),
    "clusters, contested ones among them": (
        *("int_cluster", "int_contested", "int_world", "int_link_", "int_match_edges"),
        *("int_refused", "int_review", "int_limited", "int_identity_decisions"),
    ),
    "values, blocks, pairs, weights, links": ("int_match", "int_pair", "int_touched"),
    "views of what was loaded": ("stg_",),
}


def measure(home: Path, customers: int, nights: int, tonight: int) -> str:
    """The section.

    Args:
        home: Where the company is made, or was made by an earlier call.
        customers: Customers of the company.
        nights: Nights after its history, those that are measured among them.
        tonight: Of them the last ones, which one run takes.
    """
    from orchestration.demo.company import build_company
    from orchestration.pipeline import state

    settings = Settings(home=home / f"nightly-{customers}-{nights}")
    if not settings.landing.exists():
        build_company(settings, customers=customers, nights=nights, seed=7)
    waiting = state.waiting_nights(settings)
    if len(waiting) <= tonight:
        raise SystemExit(f"error: {settings.home} has run already; delete it, or name another")
    whole = _measured("all at once", settings, waiting[-tonight - 1])
    night = _measured("the nights", settings, waiting[-1])
    nothing = _measured("nothing new", settings, waiting[-1])
    return "\n\n".join(
        [
            f"## Identity: a night of {customers:,} customers, from records to clusters",
            f"`python -m benchmarks.identity nightly --customers {customers} --nights {nights} "
            f"--tonight {tonight}`: {machine()}; {versions(('duckdb', 'dbt-duckdb'))}. CPU time of "
            "the models of dbt's first phase (no tests, no start of dbt, no loading), first for "
            f"{whole.facts['records']:,} records at once, then for the {tonight} nights after "
            "them in one run, and for a run that finds nothing new.",
            table(_COLUMNS, _rows(whole, night, nothing)),
            _told(whole, night),
        ]
    )


def _measured(name: str, settings: Settings, until: date) -> Measurement:
    arguments = [str(settings.home), until.isoformat()]
    return measured(name, "benchmarks.identity.nightly", arguments, {}, LIMIT_BYTES)


def _rows(*found: Measurement) -> list[list[str]]:
    parts = [part for part in (*_PARTS, "others") if _sum(found[0], part)]
    sums = {part: [_sum(each, part) for each in found] for part in parts}
    sums["all"] = [sum(each.facts["cpu_seconds"].values()) for each in found]
    return [
        [part, f"{whole:.1f}", f"{night:.1f}", f"{night / whole:.1%}", f"{nothing:.1f}"]
        for part, (whole, night, nothing) in sums.items()
    ]


def _sum(found: Measurement, part: str) -> float:
    return sum(
        seconds for name, seconds in found.facts["cpu_seconds"].items() if _part_of(name) == part
    )


def _part_of(name: str) -> str:
    return next(
        (part for part, marks in _PARTS.items() if any(mark in name for mark in marks)), "others"
    )


def _told(whole: Measurement, night: Measurement) -> str:
    records, came = night.facts["records"], night.facts["records"] - whole.facts["records"]
    spent = sorted(night.facts["cpu_seconds"].items(), key=lambda each: -each[1])[:6]
    most = ", ".join(f"`{name}` {seconds:.1f}" for name, seconds in spent)
    return (
        f"Of {records:,} records {came / records:.1%} came with the nights, and of "
        f"{night.facts['touched'] / records:.1%} something arrived; the components of links that "
        f"they are in hold {night.facts['in_components'] / records:.1%}. "
        f"Most of a night, in CPU s: {most}."
    )


def _run(settings: Settings, until: date) -> dict[str, Any]:
    from orchestration.pipeline import dbt_runner, state, steps

    steps.prepare(settings)
    steps.load(settings, until)
    steps.write_configuration(settings)
    begun: dict[str, float] = {}
    spent: dict[str, float] = {}

    def time_models(event: Any) -> None:
        """Note what each model took, from its start to its end."""
        if event.info.name in ("NodeStart", "NodeFinished"):
            node = event.data.node_info
            if node.resource_type == "model" and event.info.name == "NodeStart":
                begun[node.node_name] = cpu_spent()
            elif node.resource_type == "model":
                spent[node.node_name] = cpu_spent() - begun[node.node_name]

    manifest = dbt_runner.parsed_manifest(settings)
    arguments = ["run", *steps.PHASE_RECORDS]
    outcome = dbt_runner._invoke(settings, arguments, manifest, time_models)
    if not outcome.success:
        raise SystemExit(f"error: {outcome.exception or outcome.result}")
    state.record_phase(settings, state.MATCHED, state.newest_load(settings))
    return {"cpu_seconds": spent, **_counts(settings)}


def _counts(settings: Settings) -> dict[str, int]:
    connection = warehouse.connect(settings.warehouse, read_only=True)
    try:
        row = connection.execute(
            """
            select
                (select count(*) from unify.int_records_delivered),
                (select count(*) from unify.int_touched_records),
                (
                    select count(*) from unify.int_link_components
                    where cluster_key in (
                        select cluster_key from unify.int_link_components
                        semi join unify.int_touched_records using (record_key)
                    )
                )
            """
        ).fetchone()
    finally:
        connection.close()
    assert row is not None
    return dict(zip(("records", "touched", "in_components"), row, strict=True))


def main() -> None:
    """Take what landed up to a night, in this process, and write what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("until", type=date.fromisoformat)
    parser.add_argument("--facts", type=Path, required=True)
    given = parser.parse_args()
    facts = _run(Settings(home=given.home), given.until)
    given.facts.write_text(json.dumps(facts), "utf-8")


if __name__ == "__main__":
    main()
