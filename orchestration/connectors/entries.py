"""Connector entries: the optional `connector:` of a source in `sources.yml`, as proved facts.

An entry says where a source is, which environment variables hold its secrets, and which tables are
fetched. It never holds a secret itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_VARIABLE = r"^[A-Z][A-Z0-9_]*$"
Variable = Annotated[str, Field(pattern=_VARIABLE)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BearerAuth(_Fact):
    """A token in the header: `HUBSPOT_TOKEN` and the like."""

    kind: Literal["bearer"]
    token_from: Variable


class BasicAuth(_Fact):
    """A user and a password; where the user is no secret it may stand in the entry."""

    kind: Literal["basic"]
    user: str | None = None
    user_from: Variable | None = None
    password_from: Variable

    @model_validator(mode="after")
    def _one_user(self) -> BasicAuth:
        if (self.user is None) == (self.user_from is None):
            raise ValueError("give user, or user_from with the name of an environment variable")
        return self


class HeaderAuth(_Fact):
    """A token in a header of the API's own, such as `x-api-token`."""

    kind: Literal["header"]
    name: str = Field(pattern=r"^[A-Za-z0-9-]+$")
    token_from: Variable


class ClientCredentialsAuth(_Fact):
    """A client's id and secret, for which a token is asked at another path of the same host."""

    kind: Literal["client_credentials"]
    token_path: str = Field(pattern=r"^[A-Za-z0-9/._-]+$")
    client_id_from: Variable
    client_secret_from: Variable


Auth = Annotated[
    BearerAuth | BasicAuth | HeaderAuth | ClientCredentialsAuth, Field(discriminator="kind")
]


class Retry(_Fact):
    """How often, and how patiently, a request is repeated.

    Args:
        attempts: Requests in all, the first one included.
        backoff_seconds: First pause; it doubles each time. `Retry-After` goes before it.
        max_wait_seconds: No pause is longer.
        timeout_seconds: How long an answer may take.
    """

    attempts: int = Field(default=6, ge=1, le=20)
    backoff_seconds: float = Field(default=1.0, ge=0)
    max_wait_seconds: float = Field(default=300.0, gt=0)
    timeout_seconds: float = Field(default=60.0, gt=0)


class _Entry(_Fact):
    overlap_minutes: float = Field(default=15.0, ge=1)
    start_at: datetime | None = None
    max_pages: int = Field(default=1_000_000, ge=1)

    @field_validator("start_at")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class RestTable(_Fact):
    """A table of a REST source.

    Args:
        properties: HubSpot's properties, or Salesforce's fields, to ask for beside those that the
            contract reads.
        columns: Header and JSON path of each column, where the contract reads CSV.
        lookback_days: How far back records that change without notice are asked for again.
    """

    properties: tuple[str, ...] = ()
    columns: dict[str, str] = Field(default_factory=dict)
    lookback_days: float = Field(default=30.0, ge=0)


class RestEntry(_Entry):
    """A vendor's REST API."""

    kind: Literal["hubspot", "intercom", "mailchimp", "pipedrive", "salesforce", "zendesk"]
    url: str = Field(pattern=r"^https?://[^/]+[^?#]*$")
    auth: Auth
    retry: Retry = Retry()
    page_size: int | None = Field(default=None, ge=1, le=1000)
    poll_seconds: float = Field(default=10.0, gt=0)
    poll_limit: int = Field(default=360, ge=1)
    tables: dict[Name, RestTable] = Field(min_length=1)


class DatabaseTable(_Fact):
    """A table of a database.

    Args:
        table: Table to read, with its schema; either this or `query`.
        query: A select statement to read instead.
        cursor_column: Column that only grows with changes; with it the fetch is incremental.
        key: Key columns; a full fetch with a key detects deletions.
        deleted_column: Column of the delivery that says whether the row is gone.
    """

    table: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$")
    query: str | None = None
    cursor_column: str | None = None
    key: tuple[str, ...] = ()
    deleted_column: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> DatabaseTable:
        if (self.table is None) == (self.query is None):
            raise ValueError("give either table or query")
        if self.deleted_column is not None and (not self.key or self.cursor_column is not None):
            raise ValueError("deleted_column needs key and a full fetch, so no cursor_column")
        return self


class DatabaseEntry(_Entry):
    """A database: PostgreSQL by Arrow, or anything that SQLAlchemy has a URL for."""

    kind: Literal["postgresql", "sqlalchemy"]
    url_from: Variable
    batch_rows: int = Field(default=50_000, ge=1)
    tables: dict[Name, DatabaseTable] = Field(min_length=1)


class StoredTable(_Fact):
    """Files of one table in object storage: a path with `*`, such as `bucket/exports/users-*.csv`.

    A file is left alone until it is `settle_minutes` old: it may still be written.
    """

    path: str = Field(min_length=1)
    settle_minutes: float = Field(default=0.0, ge=0)


class StorageEntry(_Entry):
    """Object storage through fsspec: S3, Google Cloud Storage, Azure.

    Args:
        protocol: fsspec's name of the storage.
        options: fsspec's options that are no secret, such as endpoint_url.
        options_from: fsspec's options whose values stand in environment variables.
    """

    kind: Literal["object_storage"]
    protocol: Literal["s3", "gs", "az"]
    options: dict[str, Any] = Field(default_factory=dict)
    options_from: dict[str, Variable] = Field(default_factory=dict)
    tables: dict[Name, StoredTable] = Field(min_length=1)


class EltTable(_Fact):
    """A table out of those that an ELT tool landed; there is nothing to say about it."""


class EltEntry(_Entry):
    """Tables that an ELT tool landed already.

    Args:
        folder: Where they lie as CSV files; either this or `url_from`.
        file_name: Name of a table's file.
        url_from: Variable with the URL of the PostgreSQL database that they are in.
        schema_name: Their schema in it.
    """

    kind: Literal["elt"]
    tool: Literal["airbyte", "fivetran"]
    vendor: Literal[
        "hubspot", "intercom", "klaviyo", "mailchimp", "qualtrics", "salesforce", "zendesk"
    ]
    folder: str | None = None
    file_name: str = Field(default="{table}.csv", pattern=r"^[^{}/]*\{table\}[^{}/]*\.csv$")
    url_from: Variable | None = None
    schema_name: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w$]*$")
    tables: dict[Name, EltTable] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_place(self) -> EltEntry:
        is_database = self.url_from is not None and self.schema_name is not None
        if is_database == (self.folder is not None):
            raise ValueError("give either folder, or url_from and schema_name")
        return self


Connector = Annotated[
    RestEntry | DatabaseEntry | StorageEntry | EltEntry, Field(discriminator="kind")
]
