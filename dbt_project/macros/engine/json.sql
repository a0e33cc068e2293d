{#- The text at a path (`a.b`) of a column that holds JSON; null where there is none. -#}
{% macro json_text(column, path) -%}
    {{ return(adapter.dispatch('json_text')(column, path)) }}
{%- endmacro %}

{% macro default__json_text(column, path) -%}
    get_json_object({{ column }}, '$.{{ path }}')
{%- endmacro %}

{% macro duckdb__json_text(column, path) -%}
    json_extract_string({{ column }}, '$.{{ path }}')
{%- endmacro %}


{#- A select expression that gives one row per element of a JSON array, each as JSON text. -#}
{% macro unnest_json_array(column) -%}
    {{ return(adapter.dispatch('unnest_json_array')(column)) }}
{%- endmacro %}

{% macro default__unnest_json_array(column) -%}
    explode(from_json({{ column }}, 'array<string>'))
{%- endmacro %}

{% macro duckdb__unnest_json_array(column) -%}
    cast(unnest(from_json({{ column }}, '["json"]')) as varchar)
{%- endmacro %}
