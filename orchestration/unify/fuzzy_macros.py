"""The dbt macros that are derived from the comparisons: outcomes, rare values, what is alike.

`journeyline identity macros` writes them; a test proves that the file has not drifted.
"""

from __future__ import annotations

import re
from pathlib import Path

from orchestration.unify.comparisons import COMPARISONS

MACRO = Path("macros") / "fuzzy_comparisons.sql"

# Outcomes that models ask for by name.
NAMED_OUTCOMES = ("first and last name swapped", "same e-mail address", "other first name")


def macro_text() -> str:
    """The dbt macro file that is derived from the comparisons."""
    parts = [
        "{#-",
        "    Derived from orchestration/unify/comparisons.py by `journeyline identity macros`; "
        "not edited by hand.",
        "-#}",
        "{% macro fuzzy_comparisons() -%}",
        "    {{ return(["
        + ", ".join(f"'{comparison.name}'" for comparison in COMPARISONS)
        + "]) }}",
        "{%- endmacro %}",
        "",
        "",
        "{#- Comparisons whose best level weighs rare values more, with that level's number. -#}",
        "{% macro fuzzy_terms() -%}",
        "    {{ return({"
        + ", ".join(
            f"'{comparison.name}': {level.number}"
            for comparison in COMPARISONS
            for level in comparison.levels
            if level.term
        )
        + "}) }}",
        "{%- endmacro %}",
    ]
    parts += ["", "", "{#- The number of each outcome that a model names. -#}"]
    parts.append("{% macro fuzzy_numbers() -%}")
    parts.append(
        "    {{ return({"
        + ", ".join(
            f"'{level.label}': {level.number}"
            for comparison in COMPARISONS
            for level in comparison.levels
            if level.label in NAMED_OUTCOMES
        )
        + "}) }}"
    )
    parts.append("{%- endmacro %}")
    parts += ["", "", "{#- The outcome of one comparison of two states. -#}"]
    parts.append("{% macro fuzzy_level(comparison, left, right) -%}")
    for place, comparison in enumerate(COMPARISONS):
        parts.append(f"    {{%- {'elif' if place else 'if'} comparison == '{comparison.name}' %}}")
        parts.append("    case")
        for level in comparison.levels:
            said = _dbt_condition(level.condition)
            outcome = f"when {said} then {level.number}" if said else f"else {level.number}"
            parts.append(f"        {outcome}")
        parts.append("    end")
    parts += ["    {%- endif %}", "{%- endmacro %}"]
    return "\n".join(parts) + "\n"


def _dbt_condition(condition: str) -> str:
    sides = {"l": "left", "r": "right"}
    return re.sub(
        r"\b([lr])\.(\w+)", lambda found: f"{{{{ {sides[found[1]]} }}}}.{found[2]}", condition
    )
