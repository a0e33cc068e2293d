{#-
    The form in which an identifier is compared, empty where nothing is left; null stays null.
    A function in Python that each engine's session registers (on DuckDB: unify/dbt_plugin.py).
-#}
{% macro normal_form(normaliser, value, settings) -%}
    {{ return(adapter.dispatch('normal_form')(normaliser, value, settings)) }}
{%- endmacro %}

{% macro default__normal_form(normaliser, value, settings) -%}
    journeyline_normal_form({{ normaliser }}, {{ value }}, {{ settings }})
{%- endmacro %}

{% macro duckdb__normal_form(normaliser, value, settings) -%}
    journeyline_normal_form({{ normaliser }}, {{ value }}, {{ settings }})
{%- endmacro %}
