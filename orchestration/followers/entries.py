"""`followers.yml`: who follows the release, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.proved_yaml import load_proved
from orchestration.settings import Settings

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]


class PostgresEntry(BaseModel):
    """A PostgreSQL database.

    Args:
        kind: `postgresql`.
        name: What the follower is called.
        url_from: Environment variable with the address, user and password.
        schema_name: Schema of the views that readers query (`schema` in the file).
        reader_role: Role that may read them; made where it is missing.
        slots: Copies of the tables.
        lock_seconds: How long a new column waits for readers before it is left to a later run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    kind: Literal["postgresql"]
    name: Name
    url_from: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    schema_name: Name = Field(default="journeyline", alias="schema")
    reader_role: Name = "bi_reader"
    slots: int = Field(default=2, ge=2, le=9)
    lock_seconds: int = Field(default=60, ge=1)


class ObjectsEntry(BaseModel):
    """A folder of an object storage, by fsspec.

    Args:
        kind: `objects`.
        name: What the follower is called.
        url: Where the releases go, such as `s3://bucket/journeyline`.
        options: fsspec's options that are no secret, such as endpoint_url.
        options_from: fsspec's options whose values stand in environment variables.
        keep: Releases kept there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["objects"]
    name: Name
    url: str
    options: dict[str, Any] = {}
    options_from: dict[str, str] = {}
    keep: int = Field(default=3, ge=1)


class CsvEntry(BaseModel):
    """A folder of CSV files for people with spreadsheets.

    Args:
        kind: `csv`.
        name: What the follower is called.
        path: The folder.
        tables: Tables to write; none means all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["csv"]
    name: Name
    path: Path
    tables: list[str] = []


Entry = Annotated[PostgresEntry | ObjectsEntry | CsvEntry, Field(discriminator="kind")]


class Followers(BaseModel):
    """`followers.yml`, proved."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    followers: list[Entry] = []

    @model_validator(mode="after")
    def _names_differ(self) -> Followers:
        names = [entry.name for entry in self.followers]
        if len(set(names)) != len(names):
            raise ValueError("two followers have the same name")
        return self


def load_followers(settings: Settings) -> list[PostgresEntry | ObjectsEntry | CsvEntry]:
    """Read and prove `orchestration/config/followers.yml`; none where there is no such file.

    Raises:
        JourneylineError: The file says something that cannot be (exit 2).
    """
    path = settings.config / "followers.yml"
    return list(load_proved(path, Followers).followers) if path.exists() else []
