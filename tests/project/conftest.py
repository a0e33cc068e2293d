"""dbt's manifest and the compiled models, made once for the tests of this folder."""

from __future__ import annotations

from typing import Any

import pytest
from compiled_project import compiled_models

from orchestration.pipeline.dbt_runner import parsed_manifest
from orchestration.settings import Settings


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """dbt's manifest of the project."""
    return parsed_manifest(Settings(home=tmp_path_factory.mktemp("manifest")))


@pytest.fixture(scope="session")
def models(manifest: Any) -> list[Any]:
    """The project's models."""
    found = [node for node in manifest.nodes.values() if node.resource_type == "model"]
    assert len(found) > 50
    return found


@pytest.fixture(scope="session")
def compiled(
    tmp_path_factory: pytest.TempPathFactory, manifest: Any, models: list[Any]
) -> dict[str, dict[str, str]]:
    """Compiled SQL of every model: by `first night` and `later night`, then by model."""
    settings = Settings(home=tmp_path_factory.mktemp("compiled"))
    texts = {
        "first night": compiled_models(settings, manifest, incremental=False),
        "later night": compiled_models(settings, manifest, incremental=True),
    }
    for sql_by_model in texts.values():
        assert set(sql_by_model) == {model.name for model in models}
        assert all(sql.strip() for sql in sql_by_model.values())
    assert texts["first night"] != texts["later night"]
    return texts
