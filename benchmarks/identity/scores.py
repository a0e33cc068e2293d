"""How right clusters are: pairwise and B³ (Bagga and Baldwin 1998) precision, recall and F1.

Belongs here: the measures alone, over a table `judged` (record, truth, cluster).
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True)
class Score:
    """One measure over some records.

    Args:
        name: What was measured.
        records: Records that it covers.
        precision: Share of what was joined that belongs together.
        recall: Share of what belongs together that was joined.
        false_pairs: Pairs joined that do not belong together; None for B³.
    """

    name: str
    records: int
    precision: float
    recall: float
    false_pairs: int | None = None

    @property
    def f1(self) -> float:
        """The harmonic mean."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def row(self) -> list[str]:
        """The row of a table."""
        return [
            self.name,
            f"{self.records:,}",
            f"{self.precision:.5f}",
            f"{self.recall:.5f}",
            f"{self.f1:.5f}",
            "" if self.false_pairs is None else f"{self.false_pairs:,}",
        ]


COLUMNS = ("measure", "records", "precision", "recall", "F1", "false pairs")


def pairwise(connection: duckdb.DuckDBPyConnection, name: str, condition: str = "true") -> Score:
    """Over pairs of records, of which one at least meets the condition (on `judged`)."""
    row = connection.execute(
        f"""
        with pairs as (
            select earlier.truth = later.truth as is_true, earlier.cluster = later.cluster as joined
            from judged as earlier
            inner join judged as later
                on earlier.record < later.record
                and (earlier.truth = later.truth or earlier.cluster = later.cluster)
            where {condition.replace("judged.", "earlier.")}
                or {condition.replace("judged.", "later.")}
        )
        select count(*) filter (is_true and joined), count(*) filter (joined),
            count(*) filter (is_true)
        from pairs
        """
    ).fetchone()
    assert row is not None
    right, joined, true = row
    count = connection.execute(f"select count(*) from judged where {condition}").fetchone()
    return Score(
        f"pairs, {name}",
        count[0] if count else 0,
        right / joined if joined else 1.0,
        right / true if true else 1.0,
        joined - right,
    )


def b_cubed(connection: duckdb.DuckDBPyConnection, name: str, condition: str = "true") -> Score:
    """Over records: how much of a record's cluster is its person's, and of its person joined."""
    row = connection.execute(
        f"""
        with truths as (select truth, count(*) as size from judged group by truth),
        clusters as (select cluster, count(*) as size from judged group by cluster),
        common as (select truth, cluster, count(*) as size from judged group by truth, cluster)
        select count(*), avg(common.size / clusters.size), avg(common.size / truths.size)
        from judged
        inner join truths using (truth)
        inner join clusters using (cluster)
        inner join common using (truth, cluster)
        where {condition}
        """
    ).fetchone()
    assert row is not None
    count, precision, recall = row
    return Score(f"B³, {name}", count, precision or 1.0, recall or 1.0)
