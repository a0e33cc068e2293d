"""Every seed, from 200 customers and one night up, passes the default bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.demo.company import build_company
from orchestration.pipeline.night import run_nights
from orchestration.settings import Settings


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "customers"), [(1, 200), (2, 213), (31, 200), (99, 260)])
def test_any_seed_reaches_a_release(tmp_path: Path, seed: int, customers: int) -> None:
    settings = Settings(home=tmp_path / "home")
    build_company(settings, customers=customers, nights=1, seed=seed)
    report = run_nights(settings)
    assert report.load is not None
    assert report.publication is not None
    assert report.load.refused == []
    assert report.load.held_sources == []
    assert report.publication.published
    assert report.publication.checks_failed == 0
