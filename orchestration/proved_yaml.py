"""Configuration files as proved facts: one file, one pydantic model, errors that name the line."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from orchestration.errors import EXIT_USAGE, JourneylineError

Fact = TypeVar("Fact", bound=BaseModel)


def load_proved(path: Path, model: type[Fact]) -> Fact:
    """Read a YAML file and prove it against its model.

    Args:
        path: The file.
        model: What the file has to be.

    Raises:
        JourneylineError: The file is missing, is no YAML, or says something that cannot be; names
            the line, the field and what would be right.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise JourneylineError(
            f"{path.name} is missing.", str(path), "Restore it from the project.", EXIT_USAGE
        ) from error
    try:
        return model.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise JourneylineError(
            f"{path.name} is no YAML: {error}", where, "Correct the line.", EXIT_USAGE
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise JourneylineError(
            f"{path.name} is not valid: {field}: {first['msg']}",
            f"{path}:{line_of(text, first['loc'])}",
            "Correct the field; docs/glossary.md defines the words.",
            EXIT_USAGE,
        ) from error


def line_of(text: str, location: tuple[int | str, ...]) -> int:
    """The line, from 1, of the deepest part of `location` that the text has."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                return line
            key, node = found[0]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                return line
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line
    return line
