"""`releases.yml`: how long releases are kept and how large a self-contained file may get."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from orchestration.proved_yaml import load_proved
from orchestration.settings import Settings

FILE_NAME = "releases.yml"


class ReleasePolicy(BaseModel):
    """`releases.yml`, proved.

    Args:
        keep_count: Releases kept at most; what is served, what was before it and pins come on top.
        keep_days: Age from which a release is removed.
        is_automatic: Whether retention follows each publication.
        self_contained_gigabytes: Parquet (10^9 bytes) up to which the DuckDB file holds all rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    keep_count: int = Field(ge=1)
    keep_days: int = Field(ge=1)
    is_automatic: bool
    self_contained_gigabytes: float = Field(ge=0)


def load_policy(settings: Settings) -> ReleasePolicy:
    """Read and prove `orchestration/config/releases.yml`.

    Raises:
        JourneylineError: The file is missing or says something that cannot be (exit 2).
    """
    return load_proved(settings.config / FILE_NAME, ReleasePolicy)
