"""Every model's compiled SQL says the same to DuckDB and to Spark, dispatched macros put aside.

sqlglot reads each text as both engines' dialects: where the two trees differ, the engines would
read the text differently without a word (the place of nulls, a double-quoted name, an escape).
What no parser sees stands as habits in `docs/two-engines.md`.
"""

from __future__ import annotations

import difflib

import pytest
import sqlglot
from sqlglot import exp

ENGINE_PREFIX = "engine_"

# Functions whose meaning was looked up in both engines. A new one is added after looking, or
# gets a dispatched macro.
PORTABLE = frozenset(
    [
        # conditions and casts; exists with a subquery
        *("And", "Or", "If", "Case", "Coalesce", "Exists", "Nullif", "Cast", "TryCast"),
        # numbers; both skip nulls in greatest and least
        *("Greatest", "Least", "Floor", "Round"),
        # text; split_part counts from 1, and from the end below 0
        *("Lower", "Upper", "Trim", "Length", "Substring", "SplitPart", "Pad"),
        # regexp_extract with a group gives the first match, or the empty text
        *("Levenshtein", "MD5", "RegexpExtract"),
        # aggregates and windows; max_by is ArgMax
        *("Count", "Sum", "Min", "Max", "Median", "ArgMax"),
        *("RowNumber", "Lag", "Lead", "FirstValue"),
        # date_trunc
        "TimestampTrunc",
    ]
)
REFUSED = {
    exp.Qualify: "qualify",
    exp.Bracket: "an index",
    exp.Array: "a list literal",
    exp.Struct: "a struct literal",
    exp.Lambda: "a lambda",
    exp.Unnest: "unnest",
    exp.Lateral: "lateral",
    exp.IntDiv: "integer division",
    exp.IgnoreNulls: "ignore nulls",
    exp.AtTimeZone: "at time zone",
    exp.Pivot: "pivot",
    exp.SimilarTo: "similar to",
    exp.ILike: "ilike",
}
# A divisor that can't be zero, and why.
NEVER_ZERO = {"slices_summed.unit_count": "a group has at least one row"}
_TIMES = (exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPTZ)


def tree(sql: str, dialect: str) -> exp.Expression:
    """The text as an engine reads it, without the marks that say only which engine it was."""
    parsed = sqlglot.parse_one(sql, dialect=dialect)
    for node in list(parsed.walk()):
        node.type = None
        if isinstance(node, exp.Div):  # what differs, a divisor of zero, is a rule below
            node.set("safe", None)
        elif isinstance(node, exp.DataType) and node.this in _TIMES:  # every session is in UTC
            node.set("this", exp.DType.TIMESTAMP)
    return parsed


def _lines(parsed: exp.Expression) -> list[str]:
    # sqlglot takes Spark's cast for the older one that gave null; since Spark 4 it is an error, as
    # on DuckDB, and try_cast is the same on both
    return [line.replace("TryCast(", "Cast(") for line in repr(parsed).splitlines()]


def differences(sql: str) -> list[str]:
    """Where DuckDB and Spark would read the text differently: lines of the two trees."""
    duckdb, spark = _lines(tree(sql, "duckdb")), _lines(tree(sql, "spark"))
    return [
        " ".join(line.split())
        for line in difflib.unified_diff(duckdb, spark, "duckdb", "spark", lineterm="", n=0)
        if not line.startswith("@@")
    ]


def _function(node: exp.Func) -> str:
    return node.name.lower() if isinstance(node, exp.Anonymous) else type(node).__name__


def findings(sql: str) -> list[str]:
    """What in the text is one engine's own, or differs between them without an error."""
    parsed = tree(sql, "duckdb")
    found = []
    for node in parsed.walk():
        found += [said for kind, said in REFUSED.items() if type(node) is kind]
        if isinstance(node, exp.Func):
            name = _function(node)
            if name not in PORTABLE and not name.startswith(ENGINE_PREFIX):
                found.append(f"function {name}")
        if isinstance(node, exp.Star) and (node.args.get("except_") or node.args.get("replace")):
            found.append("* exclude")
        if isinstance(node, exp.Join) and node.method in {"ASOF", "POSITIONAL"}:
            found.append(f"{node.method.lower()} join")
        if isinstance(node, exp.Div) and not _never_zero(node.expression):
            found.append(f"division by {node.expression.sql()}")
        if isinstance(node, exp.Sub) and _is_date(node.this) and _is_date(node.expression):
            found.append("date minus date")
    return found


def _never_zero(divisor: exp.Expression) -> bool:
    if isinstance(divisor, exp.Literal):
        return not divisor.is_string and float(divisor.this) != 0
    return isinstance(divisor, exp.Nullif) or divisor.sql() in NEVER_ZERO


def _is_date(node: exp.Expression) -> bool:
    return isinstance(node, exp.Cast) and node.to.this == exp.DType.DATE


@pytest.mark.parametrize("night", ["first night", "later night"])
def test_both_engines_read_every_model_alike(
    compiled: dict[str, dict[str, str]], night: str
) -> None:
    assert {
        model: told for model, sql in compiled[night].items() if (told := differences(sql))
    } == {}


@pytest.mark.parametrize("night", ["first night", "later night"])
def test_what_is_an_engines_own_stands_in_dispatched_macros(
    compiled: dict[str, dict[str, str]], night: str
) -> None:
    assert {model: told for model, sql in compiled[night].items() if (told := findings(sql))} == {}


def test_the_compiled_text_holds_what_the_macros_give(compiled: dict[str, dict[str, str]]) -> None:
    """Or the rules above would look at nothing: dispatched calls, macros' cases, both nights."""
    first, later = compiled["first night"], compiled["later night"]
    assert "engine_json_text(events_named.properties, 'error_code')" in first["int_app_events"]
    assert "engine_pseudonym(" in first["fct_touchpoints"]
    assert "when 'unsub' then 'email_unsubscribed'" in first["int_email_events"]
    assert "touched.customer_id" in later["dim_customers"]
    assert "touched.customer_id" not in first["dim_customers"]


@pytest.mark.parametrize(
    "sql",
    [
        "select row_number() over (order by a) from t",
        "select a from t order by a",
        'select "a" as b from t',
        "select trim(a, '_') from t",
        r"select 'a\nb' as c from t",
        "select a ^ 2 as b from t",
    ],
)
def test_a_silent_difference_shows_in_the_trees(sql: str) -> None:
    assert differences(sql) != []


@pytest.mark.parametrize(
    "sql",
    [
        "select row_number() over (order by a nulls last) from t",
        "select row_number() over (order by a desc nulls last, b nulls first) from t",
        "select trim(both '_' from a) as b, a / 2 as c, cast(a as timestamp) as d from t",
        "select try_cast(a as decimal(18, 4)), max_by(a, b) filter (where a is not null) from t",
    ],
)
def test_what_is_portable_shows_no_difference(sql: str) -> None:
    assert differences(sql) == []
    assert findings(sql) == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select a from t qualify row_number() over (order by a nulls last) = 1", "qualify"),
        ("select * exclude (a) from t", "* exclude"),
        ("select * from a asof join b on a.t >= b.t", "asof join"),
        ("select a[1] from t", "an index"),
        ("select list_transform(a, x -> x + 1) from t", "a lambda"),
        ("select a // 2 from t", "integer division"),
        ("select a / b from t", "division by b"),
        ("select cast(a as date) - cast(b as date) from t", "date minus date"),
        ("select concat(a, b) from t", "function Concat"),
        ("select avg(a) from t", "function Avg"),
        ("select hash(a) from t", "function hash"),
        ("select strftime(a, '%Y') from t", "function TimeToStr"),
        ("select string_agg(a, ',') from t", "function GroupConcat"),
        ("select dayofweek(a) from t", "function DayOfWeek"),
        ("select regexp_replace(a, 'b', 'c') from t", "function RegexpReplace"),
        ("select a ->> '$.b' from t", "function JSONExtractScalar"),
    ],
)
def test_the_rule_sees_what_it_is_for(sql: str, said: str) -> None:
    assert said in findings(sql)


def test_every_allowed_function_is_used(compiled: dict[str, dict[str, str]]) -> None:
    """An entry nobody needs would let a later text pass unlooked at."""
    used = {
        _function(node)
        for sql_by_model in compiled.values()
        for sql in sql_by_model.values()
        for node in tree(sql, "duckdb").find_all(exp.Func)
    }
    assert PORTABLE - used == set()
