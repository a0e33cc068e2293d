"""datacontract-cli, which knows the standard, has nothing to say against any contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.settings import REPO_ROOT

pytestmark = pytest.mark.slow
CONTRACTS = sorted((REPO_ROOT / "data_contracts").glob("*/*.odcs.yaml"))


def lint(path: Path) -> tuple[str, list[str]]:
    from datacontract.data_contract import DataContract

    run = DataContract(data_contract_file=str(path)).lint()
    told = [str(check.reason) for check in run.checks if check.result != "passed"]
    return str(run.result.value), told


def test_every_contract_passes_the_linter() -> None:
    assert len(CONTRACTS) >= 36
    told = {path.name: lint(path) for path in CONTRACTS}
    assert {name: said for name, said in told.items() if said[0] != "passed"} == {}


def test_the_linter_sees_a_contract_that_the_standard_forbids(tmp_path: Path) -> None:
    broken = tmp_path / CONTRACTS[0].name
    text = CONTRACTS[0].read_text("utf-8")
    broken.write_text(text.replace("kind: DataContract", "kind: DataAgreement", 1), "utf-8")
    assert lint(broken)[0] != "passed"
