"""What every connector is to the fetch: a feed of pages with a place to go on from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

Position = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """A part of a fetch that is kept before the next is asked for.

    Args:
        lines: Records as JSON, one line each.
        position: Where to go on after this page; None at the end.
        file: A file as it was delivered, instead of records.
        may_repeat: Equal records are the source's own and are kept: a query has no pages that
            could come twice.
    """

    lines: list[str]
    position: Position | None
    file: Path | None = None
    may_repeat: bool = False


class PositionLost(Exception):
    """The source no longer knows the place to go on from; the fetch begins again."""


class Feed(Protocol):
    """One table of one source.

    A fetch has a plan, made once and kept until its delivery is landed; pages follow from the
    plan and the position; the cursor for the next fetch follows from the plan alone.
    """

    def begin(self, cursor: Mapping[str, Any] | None, started_at: datetime) -> dict[str, Any]:
        """The plan of a fetch, from the cursor that the last one left."""

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """The pages from a position on.

        Raises:
            PositionLost: The position is not valid any more.
            JourneylineError: The source cannot be read; says why.
        """

    def finish(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """The cursor for the next fetch, once everything of this one is landed."""

    def check(self) -> str:
        """Prove that the source can be reached and lets us in, without loading; in a sentence.

        Raises:
            JourneylineError: It cannot; says why.
        """
