"""Drift: how what is delivered differs from its contract, one record per change.

- `added`: a key that the contract does not know. `removed`: a key that no row has any more.
  `returned`: a removed key is back.
- `renamed`, `recased`: a key is gone and another one is it, or seems so.
- `retyped`: most values of a column are no longer of its type. `enum_grew`: a value outside the
  closed set. Such rows break a rule of their own.
- `became_object`: most values of a text are JSON objects or lists. `flattened`: an object that
  columns are read from is none any more.
- `reordered`: a header in another order; columns are read by name, so nothing is lost.

What becomes of the rows is the contract's `driftPolicy`. `evolve` takes them; but what would be
lost without a word (values of a renamed column, those below a flattened object) is quarantined.
`quarantine` keeps out the rows that show any change but the harmless ones (returned, reordered).
`stop` holds a delivery that shows any but `returned`. A change is recorded at the delivery that
shows it first.
"""

from __future__ import annotations

from orchestration.ingest.drift.changes import SeenFile
from orchestration.ingest.drift.judging import judge_drift

__all__ = ["SeenFile", "judge_drift"]
