"""A night audits what changed: what the release before proved is taken over, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import publishing
import pytest

from orchestration.errors import JourneylineError
from orchestration.gate.audit import audit
from orchestration.gate.checks import AuditContext
from orchestration.gate.contracts import load_product_contracts
from orchestration.gate.operator import Operator
from orchestration.publish import files, manifest, proved
from orchestration.publish.publisher import publish
from orchestration.publish.releases import show_release, verify_release
from orchestration.publish.replacing import relocate_releases
from orchestration.publish.staging import stage
from orchestration.settings import Settings

TOUCHPOINTS = "journey.fct_touchpoints"
IN_SET = "fct_touchpoints.direction.in_set"
UNIQUE = "fct_touchpoints.touchpoint_id.unique"
FOREIGN_KEY = "fct_touchpoints.customer_id.foreign_key"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with a release of views whose facts lie in October, November and December."""
    settings = publishing.make_home(tmp_path_factory.mktemp("released"))
    path = settings.config / "releases.yml"
    path.write_text(path.read_text().replace("gigabytes: 5", "gigabytes: 0"))
    publish(settings, "run-1")
    return settings


@pytest.fixture
def settings(released: Settings, tmp_path: Path) -> Settings:
    home = publishing.copy_home(released, tmp_path)
    # Views lead to a place: a home that was moved is mended, then published once in full.
    relocate_releases(home, by="ada", reason="moved")
    publishing.change(home, "update unify.dim_customers set country = 'AT'")
    publish(home, "run-2")
    return home


def verdicts(settings: Settings) -> dict[str, dict[str, tuple[str, int, str]]]:
    """Verdict, broken rows and scope of each check, by what is known and with nothing known."""
    contracts = load_product_contracts(settings.contracts / "products")
    folder = settings.home / "candidate"
    files.remove_tree(folder)
    folder.mkdir()
    known = manifest.read_manifest(settings.current.resolve())
    served = proved.served_release(settings, known)
    viewed = {"self_contained_bytes": 0.0} if known["tables"]["fct_touchpoints"]["is_view"] else {}
    staged = stage(settings, contracts, folder, settings.home / "spill", served=served, **viewed)
    evidence = proved.evidence(settings, known, staged)
    assert evidence is not None
    found = {}
    for name, given in (("known", evidence), ("nothing", None)):
        results = audit(staged.path, contracts, AuditContext(), given)
        found[name] = {r.name: (r.verdict, r.failing_count, r.scope) for r in results}
    return found


NIGHTS = {
    "nothing": ("select 1", set()),
    "a bad row in a changed month": (
        f"update {TOUCHPOINTS} set direction = 'sideways' where touchpoint_id = 't299'",
        {IN_SET},
    ),
    "a customer removed under unchanged months": (
        "delete from unify.dim_customers where customer_id = 'c3'",
        {FOREIGN_KEY},
    ),
    "a key in a changed and in an unchanged month": (
        f"insert into {TOUCHPOINTS} by name select 't1' as touchpoint_id, 'c1' as customer_id, "
        "timestamp '2025-12-30' as occurred_at",
        {UNIQUE},
    ),
    "a key twice in a month that is new": (
        f"insert into {TOUCHPOINTS} by name select 'new' as touchpoint_id, 'c1' as customer_id, "
        "timestamp '2026-01-02' as occurred_at from range(2)",
        {UNIQUE},
    ),
    "a touchpoint of nobody in a changed month": (
        f"update {TOUCHPOINTS} set customer_id = 'nobody' where touchpoint_id = 't299'",
        {FOREIGN_KEY},
    ),
    "a customer removed, and a touchpoint of another nobody": (
        "delete from unify.dim_customers where customer_id = 'c3';"
        f"update {TOUCHPOINTS} set customer_id = 'nobody' where touchpoint_id = 't299'",
        {FOREIGN_KEY},
    ),
    "a customer without history": (
        "delete from unify.fct_identity_history where customer_id = 'c3'",
        {"customers_have_history"},
    ),
    "a month that is gone": (f"delete from {TOUCHPOINTS} where occurred_at < '2025-11-01'", set()),
    "an address in a changed month": (
        f"update {TOUCHPOINTS} set direction = 'ann@example.com' where touchpoint_id = 't299'",
        {IN_SET, "fct_touchpoints.personal_data"},
    ),
    "a row without a month": (
        f"update {TOUCHPOINTS} set occurred_at = null where touchpoint_id = 't1'",
        {"fct_touchpoints.occurred_at.not_null"},
    ),
    "no touchpoints at all": (f"delete from {TOUCHPOINTS}", set()),
}
QUICK = list(NIGHTS)[1:4]


@pytest.mark.parametrize(
    "night",
    [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow, id=n) for n in NIGHTS],
)
def test_what_a_night_breaks_is_found_as_if_all_rows_were_audited(
    settings: Settings, night: str
) -> None:
    sql, broken = NIGHTS[night]
    publishing.change(settings, sql)
    found = verdicts(settings)
    told = {name: (verdict, count) for name, (verdict, count, _) in found["known"].items()}
    assert told == {n: (verdict, count) for n, (verdict, count, _) in found["nothing"].items()}
    assert {name for name, (verdict, _) in told.items() if verdict != "passed"} == broken
    assert "taken over" in {scope for _, _, scope in found["known"].values()}
    assert {scope for _, _, scope in found["nothing"].values()} == {"all rows"}


@pytest.mark.slow
def test_a_self_contained_release_finds_the_same(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    publish(settings, "run-1")
    for sql, _ in list(NIGHTS.values())[1:6]:
        publishing.change(settings, sql)
    found = verdicts(settings)
    told = {name: (verdict, count) for name, (verdict, count, _) in found["known"].items()}
    assert told == {n: (verdict, count) for n, (verdict, count, _) in found["nothing"].items()}
    broken = {name for name, (verdict, _) in told.items() if verdict != "passed"}
    assert broken == {IN_SET, UNIQUE, FOREIGN_KEY}


def scopes(settings: Settings) -> dict[str, str]:
    """Of which rows each check of the current release was asked."""
    return {check["name"]: check["scope"] for check in show_release(settings)["checks"]}


def test_a_night_asks_only_of_what_changed_and_the_release_says_so(settings: Settings) -> None:
    publishing.add_night(settings)
    publish(settings, "run-3")
    said = scopes(settings)
    assert said[IN_SET] == said[UNIQUE] == said[FOREIGN_KEY] == "changed rows"
    assert said["dim_customers.customer_id.unique"] == "taken over"
    assert said["row_ledger_balances"] == "all rows"


def test_files_are_audited_again_when_their_contract_changed(settings: Settings) -> None:
    contract = settings.contracts / "products" / "fct_touchpoints.odcs.yaml"
    text = contract.read_text()
    contract.write_text(text.replace("minimum: 0", "minimum: 1").replace("1.0.0", "1.1.0"))
    with pytest.raises(JourneylineError, match=r"handling_seconds\.in_range") as raised:
        publish(settings, "run-3")
    assert "Rows that break it: 1," in str(raised.value)


def test_a_check_despite_which_a_person_published_is_asked_of_all_rows_again(
    settings: Settings,
) -> None:
    publishing.change(
        settings, f"update {TOUCHPOINTS} set direction = 'up' where touchpoint_id = 't1'"
    )
    publish(settings, "run-3", operator=Operator("ada", "known to the team", (IN_SET,)))
    publishing.add_night(settings)
    with pytest.raises(JourneylineError, match=IN_SET):
        publish(settings, "run-4")


@contextmanager
def editing(path: Path) -> Iterator[None]:
    """Let a file of a release be written, as somebody who goes around the publisher would."""
    for each in (path.parent, path):
        each.chmod(0o755)
    yield


def edit_parquet(path: Path, select: str) -> None:
    """Replace a published file's rows."""
    with editing(path):
        temporary = path.with_name("edited")
        duckdb.execute(f"copy ({select.format(path)}) to '{temporary}' (format parquet)")
        path.write_bytes(temporary.read_bytes())
        temporary.unlink()


def test_an_edited_file_whose_manifest_was_edited_too_is_neither_linked_nor_believed(
    settings: Settings,
) -> None:
    name = "parquet/fct_touchpoints/2025-10.parquet"
    release = settings.current.resolve()
    before = (release / name).read_bytes()
    edit_parquet(release / name, "select * replace ('sideways' as direction) from '{}'")
    with editing(release / "manifest.json"):
        content = json.loads((release / "manifest.json").read_text())
        content["files"][name]["sha256"] = files.sha256_of(release / name)
        (release / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(JourneylineError, match=r"manifest\.json is not the one"):
        verify_release(settings)
    publishing.add_night(settings)
    publish(settings, "run-3")
    assert settings.current.resolve() != release
    assert (settings.current / name).read_bytes() == before
    assert set(scopes(settings).values()) == {"all rows"}


def test_a_served_file_that_was_edited_hides_no_customer_that_went(settings: Settings) -> None:
    path = settings.current.resolve() / "parquet" / "dim_customers" / "dim_customers.parquet"
    edit_parquet(path, "select * from '{}' where customer_id <> 'c3'")
    publishing.change(settings, "delete from unify.dim_customers where customer_id = 'c3'")
    with pytest.raises(JourneylineError, match=FOREIGN_KEY):
        publish(settings, "run-3")
