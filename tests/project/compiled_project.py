"""The project's models as dbt compiles them, with what is an engine's own put aside.

What belongs here: how the compiled text is made. What may stand in it is for the tests to say.
"""

from __future__ import annotations

import re
from typing import Any

from orchestration.pipeline.dbt_runner import _invoke
from orchestration.settings import Settings

_SIGNATURE = re.compile(r"\{%-?\s*macro\s+duckdb__(\w+)\((.*?)\)\s*-?%\}", re.DOTALL)
_IS_INCREMENTAL = "{{% macro is_incremental() %}}{{{{ return({answer}) }}}}{{% endmacro %}}"


def neutral_macro(text: str) -> str:
    """A dispatched macro that only names itself: `engine_json_text(column, 'path')`.

    A parameter that the engine's own text puts inside quotes stays inside quotes.
    """
    signature = _SIGNATURE.search(text)
    assert signature, text
    name, listed = signature.groups()
    parameters = [part.split("=")[0].strip() for part in listed.split(",") if part.strip()]
    quoted = {
        parameter
        for parameter in parameters
        if re.search(rf"'[^'\n]*\{{\{{\s*{parameter}\s*\}}\}}[^'\n]*'", text)
    }
    call = ", ".join(
        f"'{{{{ {parameter} }}}}'" if parameter in quoted else f"{{{{ {parameter} }}}}"
        for parameter in parameters
    )
    declared = f"{{% macro duckdb__{name}({', '.join(parameters)}) -%}}"
    return f"{declared}engine_{name}({call}){{%- endmacro %}}"


def compiled_models(settings: Settings, manifest: Any, *, incremental: bool) -> dict[str, str]:
    """The SQL of every model, where each dispatched macro only names itself.

    Args:
        settings: A home of its own; nothing has to be built in it.
        manifest: dbt's manifest of the project; it is left as it was.
        incremental: Whether the models compile as on a later night or as on the first.

    Returns:
        Compiled SQL by the model's name.
    """
    # dbt 1.11 cannot copy a manifest with disabled nodes.
    disabled, manifest.disabled = manifest.disabled, {}
    try:
        copied = manifest.deepcopy()
    finally:
        manifest.disabled = disabled
    neutral = 0
    for unique_id, macro in copied.macros.items():
        if macro.package_name == "journeyline" and macro.name.startswith("duckdb__"):
            macro.macro_sql = neutral_macro(macro.macro_sql)
            neutral += 1
        elif unique_id == "macro.dbt.is_incremental":
            macro.macro_sql = _IS_INCREMENTAL.format(answer=str(incremental).lower())
    assert neutral > 5
    others = ("--exclude", "resource_type:test", "resource_type:unit_test")
    outcome = _invoke(settings, ["compile", *others, "--no-introspect"], copied, None)
    assert outcome.success, outcome.exception
    return {
        result.node.name: result.node.compiled_code
        for result in outcome.result.results
        if result.node.resource_type == "model"
    }
