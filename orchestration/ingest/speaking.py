"""What a contract says about the columns of a vocabulary that its staging model does not have.

A vocabulary's column can be the first of several columns that has a value, in the vocabulary's
words instead of the vendor's, or one word for all rows. It becomes SQL that every engine reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from orchestration.errors import EXIT_USAGE, JourneylineError

_COLUMN = re.compile(r"[a-z][a-z0-9_]*")


class _Spoken(BaseModel):
    """One column of a vocabulary.

    Args:
        columns: The staging model's columns; the first with a value counts.
        joined: Whether all of them count, one after the other.
        words: The vocabulary's word for each of the vendor's; others stay as they are.
        otherwise: Word for everything that `words` does not list.
        otherwise_column: Column that has the word for everything that `words` does not list.
        value: One word for all rows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    columns: tuple[str, ...] = ()
    joined: bool = False
    words: dict[str, str] = Field(default_factory=dict)
    otherwise: str | None = None
    otherwise_column: str | None = None
    value: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> _Spoken:
        if (self.value is None) == (not self.columns):
            raise ValueError("give either columns or value")
        named = [*self.columns, *([self.otherwise_column] if self.otherwise_column else [])]
        if any(not _COLUMN.fullmatch(name) for name in named):
            raise ValueError("columns are names of the staging model")
        if self.otherwise_column and (self.otherwise is not None or not self.words):
            raise ValueError("otherwise_column stands beside words, in the place of otherwise")
        return self

    def as_sql(self) -> str:
        """The column as an expression over the staging model."""
        if self.value is not None:
            return _literal(self.value)
        sql = self.columns[0]
        if self.joined:
            sql = " || '/' || ".join(f"coalesce({name}, '')" for name in self.columns)
        elif len(self.columns) > 1:
            sql = f"coalesce({', '.join(self.columns)})"
        if not self.words:
            return sql
        cases = " ".join(
            f"when {_literal(word.lower())} then {_literal(ours)}"
            for word, ours in self.words.items()
        )
        rest = self.otherwise_column or sql
        if self.otherwise is not None:
            rest = _literal(self.otherwise)
        return f"case lower({sql}) {cases} else {rest} end"


def spoken_columns(path: Path, value: Any) -> Mapping[str, str]:
    """SQL by column of the vocabulary, from a contract's `speaks`.

    Raises:
        JourneylineError: It says something that cannot be.
    """
    try:
        return {
            str(name): _Spoken.model_validate(told).as_sql() for name, told in (value or {}).items()
        }
    except (ValidationError, AttributeError) as error:
        raise JourneylineError(
            f"The source contract is not valid: speaks: {error}.",
            where=str(path),
            next_step="Give each column of the vocabulary `columns`, with `words` where they "
            "differ, or one `value` (docs/add-a-source.md).",
            exit_code=EXIT_USAGE,
        ) from error


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
