"""What scores at night is what Splink scores with the same trained file; why and SQL agree."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import duckdb
import pytest
from built_company import Built

from orchestration.cli.main import _run
from orchestration.settings import REPO_ROOT
from orchestration.unify.explain import explain
from orchestration.unify.model import load_model
from orchestration.unify.rules import load_identity_rules
from orchestration.unify.splink_form import splink_settings
from orchestration.unify.training import train_model

FEWEST = 100


def test_the_night_weighs_pairs_as_splink_does(built: Built) -> None:
    from splink import DuckDBAPI, Linker

    logging.getLogger("splink").setLevel(logging.ERROR)
    fuzzy = load_identity_rules(built.settings).probabilistic
    assert fuzzy is not None
    model = load_model(built.settings.config / fuzzy.model)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{built.settings.warehouse}' as warehouse (read_only)")
        connection.execute(
            "create table people as select *, state_id as unique_id "
            "from warehouse.unify.int_record_states"
        )
        api = DuckDBAPI(connection)
        settings = splink_settings(
            model,
            blocking_rules_to_generate_predictions=[
                "l.last_name = r.last_name and left(l.first_name, 1) = left(r.first_name, 1)"
            ],
        )
        linker = Linker(api.register("people"), settings, log_level=logging.ERROR)
        for name, number in (("first_name", 6), ("last_name", 3)):
            usual = model.levels[name][number].u
            connection.execute(
                f"create table terms_{name} as select distinct {name}, {usual}::double "
                f"as tf_{name} from people"
            )
            for term, share in model.terms[name].items():
                connection.execute(
                    f"update terms_{name} set tf_{name} = ? where {name} = ?", [share, term]
                )
            linker.table_management.register_term_frequency_lookup(
                api.register(f"terms_{name}"), name
            )
        predicted = linker.inference.predict().physical_name
        compared, worst = connection.execute(
            f"""
            select count(*), max(abs(predicted.match_weight - weights.match_weight / 1000.0))
            from {predicted} as predicted
            inner join warehouse.unify.int_pair_weights as weights
                on least(left_state_id, right_state_id)
                    = least(predicted.unique_id_l, predicted.unique_id_r)
                and greatest(left_state_id, right_state_id)
                    = greatest(predicted.unique_id_l, predicted.unique_id_r)
            """
        ).fetchone() or (0, None)
    assert compared > FEWEST
    # twelve weights and the prior, each rounded to a thousandth
    assert worst is not None
    assert worst < 0.008


def test_training_twice_gives_the_same_file(built: Built) -> None:
    once, again = (train_model(built.settings, pairs=2e5) for _ in range(2))
    assert once.trained_on > FEWEST
    assert once == again


def test_the_documented_query_finds_a_chain_as_short_as_why_does(built: Built) -> None:
    text = (REPO_ROOT / "docs" / "identity.md").read_text(encoding="utf-8")
    found = re.search(r"```sql\n(-- why .*?)```", text, re.DOTALL)
    assert found is not None
    with duckdb.connect(str(built.settings.warehouse), read_only=True) as connection:
        left, right = connection.execute(
            """
            select min(record_key), max(record_key) from unify.int_clusters
            group by cluster_key
            having count(*) >= 4
            order by count(*) desc, 1 limit 1
            """
        ).fetchone() or ("", "")
        query = found[1].replace("LEFT_RECORD", left).replace("RIGHT_RECORD", right)
        rows = connection.execute(query).fetchall()
    why = explain(built.settings, left, right)
    assert why.is_one_customer
    assert len(rows) == len(why.chain) >= 1


@pytest.mark.parametrize("kind", ["email", "phone"])
def test_why_takes_identifiers_and_shows_none(built: Built, kind: str) -> None:
    with duckdb.connect(str(built.settings.warehouse), read_only=True) as connection:
        row = connection.execute(
            """
            select identifier_value, min(left_record_key), min(right_record_key)
            from unify.int_record_identifiers
            inner join unify.int_match_edges on left_record_key = record_key and dead_at is null
            where identifier_type = ? and left_record_key <> right_record_key
            group by identifier_value order by 1 limit 1
            """,
            [kind],
        ).fetchone()
    assert row is not None
    value, _, record = row
    why = explain(built.settings, value.upper(), record)
    assert why.left_records
    assert value not in repr(why)
    assert Path(built.settings.warehouse).exists()


def test_the_command_line_says_why_and_what_waits(
    built: Built, capsys: pytest.CaptureFixture[str]
) -> None:
    with duckdb.connect(str(built.settings.warehouse), read_only=True) as connection:
        left, right = connection.execute(
            "select left_record_key, right_record_key from unify.int_match_edges "
            "where dead_at is null and rule = 'probabilistic' order by all limit 1"
        ).fetchone() or ("", "")
    home = ["--home", str(built.settings.home), "identity"]
    assert _run([*home, "why", left, right, "--json"]) == 0
    why = json.loads(capsys.readouterr().out)
    assert why["is_one_customer"]
    assert [link["records"] for link in why["chain"]] == [[left, right]]
    assert {row["record"] for row in why["chain"][0]["source_rows"]} == {left, right}
    assert _run([*home, "why", left, right]) == 0
    told = capsys.readouterr().out
    assert why["left_customers"][0] in told
    assert _run([*home, "review", "--json"]) == 0
    queue = json.loads(capsys.readouterr().out)
    assert queue["waiting"] >= len(queue["pairs"]) > 0
    for pair in queue["pairs"]:
        outcomes = [weight for _, weight in pair["outcomes"]]
        assert abs(sum(outcomes[:-1]) - outcomes[-1]) < 1e-6
        labels = {label for label, _ in pair["outcomes"]}
        assert pair["probability"] >= 0.5
        assert pair["probability"] < 0.99 or "other first name" in labels
    assert _run([*home, "why", left, "nobody@nowhere.example"]) == 2
