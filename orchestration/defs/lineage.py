"""What Dagster reads of dbt: the manifest, and the key, group and owner of each node."""

import json
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator

from orchestration.defs.automation import freshness
from orchestration.pipeline.dbt_runner import ensure_manifest
from orchestration.settings import Settings

PHASE_TAG = "phase_records"


class StageTranslator(DagsterDbtTranslator):
    """Keys of two levels, `[schema, table]`; the dbt group is the stage and gives the owner.

    Args:
        published: Names of the models that become published tables.
    """

    def __init__(self, published: Collection[str]) -> None:
        super().__init__()
        self._published = published

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetSpec:
        """dbt's own spec; a published table is expected to be fresh."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        is_published = spec.key.path[-1] in self._published
        return spec.replace_attributes(freshness_policy=freshness()) if is_published else spec

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """`[schema, table]`, for models and sources alike."""
        table = dbt_resource_props.get("identifier") or dbt_resource_props.get("alias")
        return dg.AssetKey([dbt_resource_props["schema"], table or dbt_resource_props["name"]])

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The description of the model's YAML, without its SQL."""
        return dbt_resource_props.get("description") or dbt_resource_props["name"]

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The owner of the model's dbt group, as a team."""
        group = dbt_resource_props.get("group")
        name = group["owner"]["name"] if isinstance(group, Mapping) else "data engineering"
        return [team(name)]


class Lineage:
    """The dbt manifest beside the translator that names its nodes."""

    def __init__(self, settings: Settings) -> None:
        self.manifest: dict[str, Any] = json.loads(
            ensure_manifest(settings).read_text(encoding="utf-8")
        )
        contracts = (settings.contracts / "products").glob("*.odcs.yaml")
        self.products = sorted(path.name.removesuffix(".odcs.yaml") for path in contracts)
        self.translator = StageTranslator(self.products)

    @cached_property
    def models(self) -> dict[dg.AssetKey, str]:
        """Name of every model, by its asset key."""
        return {
            self.translator.get_asset_key(node): node["name"]
            for node in self.manifest["nodes"].values()
            if node["resource_type"] == "model"
        }

    def sources(self, schema: str) -> dict[dg.AssetKey, str]:
        """Description of every source table of a schema, by its asset key."""
        return {
            self.translator.get_asset_key(source): source["description"] or source["name"]
            for source in self.manifest["sources"].values()
            if source["schema"] == schema
        }

    def keys(self, names: Collection[str]) -> list[dg.AssetKey]:
        """Keys of the models of these names."""
        return sorted(key for key, name in self.models.items() if name in names)


def team(name: str) -> str:
    """A Dagster owner out of a team's name."""
    return "team:" + "-".join(name.lower().split())
