"""What differs between DuckDB and Spark stands in `macros/engine/` and in no model's text.

Read here as it is written; `test_dbt_two_engines.py` reads what dbt compiles of it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestration.settings import REPO_ROOT

MODELS = sorted((REPO_ROOT / "dbt_project" / "models").rglob("*.sql"))
MACROS = sorted(
    path
    for path in (REPO_ROOT / "dbt_project" / "macros").rglob("*.sql")
    if "engine" not in path.relative_to(REPO_ROOT).parts
)

# Functions that one of the engines does not have, or has with another meaning.
ENGINE_FUNCTIONS = frozenset(
    [
        "strftime",
        "strptime",
        "date_diff",
        "datediff",
        "date_part",
        "datesub",
        "epoch",
        "epoch_ms",
        "make_timestamp",
        "string_agg",
        "listagg",
        "group_concat",
        "list",
        "array_agg",
        "list_value",
        "unnest",
        "explode",
        "generate_series",
        "range",
        "json_extract",
        "json_extract_string",
        "get_json_object",
        "regexp_replace",
        "regexp_matches",
        "rlike",
        "regexp_extract",
        "hash",
        "sha256",
        "unhex",
        "encode",
        "getvariable",
        "arg_max",
        "arg_min",
        "quantile",
        "quantile_cont",
        "percentile",
        "read_parquet",
        "read_csv",
        "read_json",
        "struct_pack",
    ]
)
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_CALL = re.compile(r"\b([a-z_][a-z0-9_]*)\s*\(")
_STRING = re.compile(r"'(?:[^']|'')*'")
_COMMENT = re.compile(r"--[^\n]*")


def findings(text: str) -> list[str]:
    """Engine-specific syntax in the text of a model, outside of Jinja, strings and comments."""
    plain = _COMMENT.sub("", _STRING.sub("'text'", _JINJA.sub(" jinja ", text))).lower()
    found = [f"{name}()" for name in _CALL.findall(plain) if name in ENGINE_FUNCTIONS]
    found += [
        what
        for what, pattern in {
            "qualify": r"\bqualify\b",
            "asof join": r"\basof\b",
            "* exclude": r"\*\s*(exclude|replace|rename)\s*\(",
            "integer division //": r"//",
            "JSON arrow": r"->",
            "list literal or index": r"\[",
            "double-quoted name": r'"',
            "ignore nulls": r"\b(ignore|respect)\s+nulls\b",
            "at time zone": r"\bat\s+time\s+zone\b",
            "positional join": r"\bpositional\s+join\b",
            "backslash escape": r"\\",
        }.items()
        if re.search(pattern, plain)
    ]
    return found


def unstated_null_orders(sql: str) -> int:
    """Orderings that leave the place of nulls to the engine."""
    return sum(
        1
        for clause in re.findall(r"\border\s+by\b(.*?)(?=\)|$|\blimit\b)", sql, re.DOTALL)
        if "nulls last" not in clause and "nulls first" not in clause and "}}" not in clause
    )


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_holds_no_engine_specific_syntax(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert findings(text) == []
    assert unstated_null_orders(_COMMENT.sub("", text)) == 0


@pytest.mark.parametrize("path", MACROS, ids=lambda path: path.stem)
def test_a_macro_outside_engine_dispatches_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "duckdb__" not in text
    assert "target.type" not in text


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_says_its_grain_and_ends_in_its_last_step(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").rstrip().splitlines()
    assert lines[0].startswith("-- one row")
    assert re.fullmatch(r"select \* from [a-z_]+", lines[-1])


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select a from t qualify row_number() over (order by a nulls last) = 1", "qualify"),
        ("select * exclude (a) from t", "* exclude"),
        ("select string_agg(a, ',') from t", "string_agg()"),
        ("select a->>'$.b' from t", "JSON arrow"),
        ("select [1, 2] as a", "list literal or index"),
        ("select a // 2 from t", "integer division //"),
        ("select * from a asof join b on a.t >= b.t", "asof join"),
    ],
)
def test_the_rule_sees_what_it_is_for(sql: str, said: str) -> None:
    assert said in findings(sql)
    assert unstated_null_orders("select row_number() over (order by a) from t") == 1
