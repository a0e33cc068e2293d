"""Identity against the company's truth, pairwise over records."""

from __future__ import annotations

import duckdb
from built_company import Built

from benchmarks.identity.attribution import counted
from benchmarks.identity.demo import households

PRECISION = 0.999
RECALL = 0.96


def test_every_true_record_is_in_the_bridge_and_no_other(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    query = "select source, entity, record_id from {} order by all"
    published = release.execute(query.format("bridge_customer_records")).fetchall()
    planted = release.execute(query.format(built.truth("records"))).fetchall()
    assert len(planted) > 500
    assert published == planted


def test_pairwise_precision_and_recall_hold(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    row = release.execute(
        f"""
        with records as (
            select
                row_number() over (order by source, entity, record_id) as number,
                person_id,
                customer_id
            from {built.truth("records")}
            inner join bridge_customer_records using (source, entity, record_id)
        )
        select
            count(*) filter (
                earlier.person_id = later.person_id and earlier.customer_id = later.customer_id
            ),
            count(*) filter (earlier.customer_id = later.customer_id),
            count(*) filter (earlier.person_id = later.person_id)
        from records as earlier
        inner join records as later on earlier.number < later.number
        """
    ).fetchone()
    assert row is not None
    right, joined, true = row
    precision, recall = right / joined, right / true
    print(f"pairwise precision {precision:.4f}, recall {recall:.4f} over {true} pairs")
    assert precision >= PRECISION
    assert recall >= RECALL


def test_no_event_is_on_another_person_where_its_user_or_a_login_decides(built: Built) -> None:
    by_kind = dict(counted(built.settings))
    for kind in ("app: the event names its user", "shared device: the event names its user"):
        of_a_person, _, on_another, *_ = by_kind[kind]
        assert of_a_person > 50
        assert on_another == 0, kind
    after_login = by_kind["app: anonymous, after a login on the device"]
    assert after_login[0] > 500
    assert after_login[2] <= 0.001 * after_login[0]
    assert sum(counts[-1] for counts in by_kind.values()) == 0


def test_who_is_said_to_live_together_does(built: Built) -> None:
    planted, found, right = households(built.settings)
    assert found >= 5
    assert right >= 0.95 * found
    assert right >= 0.4 * planted
