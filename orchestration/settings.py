"""Where things are and what the environment says. The only module that reads the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parent.parent

# Python, Dagster and dbt need room beside the warehouse, and DuckDB goes somewhat past its limit.
_MEMORY_SHARE = 0.5
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def memory_limit() -> str:
    """What one DuckDB instance may hold before it writes to disk, as DuckDB reads it.

    `JOURNEYLINE_MEMORY_LIMIT` (such as `4GB`) where it is set; half of the machine's memory, or of
    the container's, elsewhere.
    """
    given = os.environ.get("JOURNEYLINE_MEMORY_LIMIT")
    return given or f"{int(_machine_memory() * _MEMORY_SHARE) >> 20}MiB"


def _machine_memory() -> int:
    """Bytes of memory that this process may count on."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = _CGROUP_LIMIT.read_text(encoding="ascii").strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdigit() else physical


def variable(name: str) -> str | None:
    """What the environment says under a name that a configuration file gives; None when nothing."""
    return os.environ.get(name) or None


@dataclass(frozen=True)
class Settings:
    """Paths of one home folder and of the project it runs with.

    Args:
        home: The home folder (`JOURNEYLINE_HOME`, default `var/` in the project).
        repo_root: The project's folder.
        pseudonym_key: Key given by `JOURNEYLINE_PSEUDONYM_KEY`, if any.
        ledger_key: Key given by `JOURNEYLINE_LEDGER_KEY`, if any.
    """

    home: Path
    repo_root: Path = REPO_ROOT
    pseudonym_key: str | None = None
    ledger_key: str | None = None

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the settings of this process."""
        root = Path(os.environ.get("JOURNEYLINE_PROJECT") or REPO_ROOT).resolve()
        return cls(
            home=Path(os.environ.get("JOURNEYLINE_HOME") or root / "var").expanduser().resolve(),
            repo_root=root,
            pseudonym_key=os.environ.get("JOURNEYLINE_PSEUDONYM_KEY") or None,
            ledger_key=os.environ.get("JOURNEYLINE_LEDGER_KEY") or None,
        )

    @property
    def landing(self) -> Path:
        """Deliveries as received."""
        return self.home / "landing"

    @property
    def identity(self) -> Path:
        """The id ledger and the tombstones."""
        return self.home / "identity"

    @property
    def releases(self) -> Path:
        """Immutable releases and their journal."""
        return self.home / "releases"

    @property
    def current(self) -> Path:
        """The symlink to the release that readers see."""
        return self.home / "current"

    @property
    def connectors(self) -> Path:
        """Cursors of REST, database and storage sources; rows only until they are landed."""
        return self.home / "connectors"

    @property
    def keys(self) -> Path:
        """Key files, mode 0600."""
        return self.home / "keys"

    @property
    def truth(self) -> Path:
        """The demo company's truth; the pipeline never reads it."""
        return self.home / "truth"

    @property
    def warehouse(self) -> Path:
        """The pipeline's own DuckDB file; derived."""
        return self.home / "warehouse.duckdb"

    @property
    def dbt_target(self) -> Path:
        """dbt's target and log folder; derived."""
        return self.home / "dbt"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder; derived."""
        return self.home / "dagster"

    @property
    def logs(self) -> Path:
        """Log files; derived."""
        return self.home / "logs"

    @property
    def contracts(self) -> Path:
        """ODCS contracts of sources and products."""
        return self.repo_root / "data_contracts"

    @property
    def dbt_project(self) -> Path:
        """The dbt project."""
        return self.repo_root / "dbt_project"

    @property
    def config(self) -> Path:
        """What a business user may change."""
        return self.repo_root / "orchestration" / "config"
