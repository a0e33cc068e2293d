"""What a delivery shows and how that differs from its contract: the facts that drift is told in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from orchestration.ingest.landing import Delivery

# Rows from which on a key that none has is gone; more of them where no rule asks for it.
JUDGED_FROM_ROWS = 20
OPTIONAL_JUDGED_FROM_ROWS = 200
# Changes under which a delivery's rows would lose values without a word.
LOSING = ("renamed", "recased", "flattened")
GONE = ("removed", "renamed", "recased")


@dataclass(frozen=True)
class SeenFile:
    """A delivery as its drift is judged.

    Args:
        delivery: The delivery.
        path: Its file as the reader takes it.
        header: Its header, in order; empty for JSON.
    """

    delivery: Delivery
    path: Path
    header: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One difference that one delivery shows.

    Args:
        key: Key of the delivery, or column of the contract for `retyped` and `enum_grew`.
        change: See the package's table.
        detail: What there is to say, for people; None where the change says it all.
        new_key: The key that stands for a renamed one.
    """

    key: str
    change: str
    detail: str | None = None
    new_key: str | None = None

    def __str__(self) -> str:
        return f"{self.key} {self.change}" + (f" ({self.detail})" if self.detail else "")


@dataclass
class Sight:
    """What one delivery shows.

    Args:
        file: The delivery.
        row_count: Its rows.
        keys: Keys that its header or any of its rows shows.
        flattened: Objects of the contract that are none in it.
        recased: Keys of the contract that rows lack, with the key that they have instead.
        changes: How it differs from the contract.
    """

    file: SeenFile
    row_count: int
    keys: set[str] = field(default_factory=set)
    flattened: set[str] = field(default_factory=set)
    recased: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    @property
    def has_header(self) -> bool:
        """Whether a header says which keys there are."""
        return bool(self.file.header)
