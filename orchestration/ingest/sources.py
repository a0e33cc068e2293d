"""The list of source systems in `orchestration/config/sources.yml`, proved at load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.connectors.entries import Connector
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import Settings


class Source(BaseModel):
    """One source system; its tables are the contracts that bear its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: str
    vendor: str
    enabled: bool = True
    owner: str
    description: str
    connector: Connector | None = None


class _SourceList(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sources: list[Source]


def load_sources(settings: Settings) -> dict[str, Source]:
    """Read and prove `sources.yml`.

    Returns:
        The sources by name, in the order of the file.

    Raises:
        JourneylineError: The file is missing or wrong; names the line and the field.
    """
    path = settings.config / "sources.yml"
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.safe_load(text)
    except FileNotFoundError as error:
        raise _broken(path, "the file is missing") from error
    except yaml.YAMLError as error:
        raise _broken(path, f"it is not YAML: {error}") from error
    try:
        found = _SourceList.model_validate(document).sources
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        line = _line(text, first["loc"])
        raise _broken(path, f"{field}: {first['msg']}", line) from error
    names = [source.name for source in found]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _broken(path, f"{name} is listed twice", _line(text, ("sources", index)))
    return {source.name: source for source in found}


def _line(text: str, location: tuple[int | str, ...]) -> int | None:
    node: Any = yaml.compose(text)
    line: int | None = None
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            values = {key.value: value for key, value in node.value}
            if part not in values:
                continue
            node = values[part]
        else:
            break
        line = node.start_mark.line + 1
    return line


def _broken(path: Path, what: str, line: int | None = None) -> JourneylineError:
    return JourneylineError(
        f"sources.yml is not valid: {what}.",
        where=f"{path}:{line}" if line else str(path),
        next_step="A source has name, kind, vendor, enabled, owner and description; "
        "docs/connectors.md shows the lines of a connector.",
        exit_code=EXIT_USAGE,
    )
