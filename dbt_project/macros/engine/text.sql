{#- A select expression that gives one row per part of a separated list (`a;b`). -#}
{% macro split_to_rows(column, separator=';') -%}
    {{ return(adapter.dispatch('split_to_rows')(column, separator)) }}
{%- endmacro %}

{% macro default__split_to_rows(column, separator) -%}
    explode(split({{ column }}, '[{{ separator }}]'))
{%- endmacro %}

{% macro duckdb__split_to_rows(column, separator) -%}
    unnest(string_split({{ column }}, '{{ separator }}'))
{%- endmacro %}


{#- Every match of the pattern replaced (DuckDB replaces only the first unless told). -#}
{% macro regexp_replace_all(column, pattern, replacement='') -%}
    {{ return(adapter.dispatch('regexp_replace_all')(column, pattern, replacement)) }}
{%- endmacro %}

{% macro default__regexp_replace_all(column, pattern, replacement) -%}
    regexp_replace({{ column }}, '{{ pattern }}', '{{ replacement }}')
{%- endmacro %}

{% macro duckdb__regexp_replace_all(column, pattern, replacement) -%}
    regexp_replace({{ column }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}


{#- True where the pattern (an SQL expression) is found somewhere in the text. -#}
{% macro regexp_found(column, pattern) -%}
    {{ return(adapter.dispatch('regexp_found')(column, pattern)) }}
{%- endmacro %}

{% macro default__regexp_found(column, pattern) -%}
    {{ column }} rlike {{ pattern }}
{%- endmacro %}

{% macro duckdb__regexp_found(column, pattern) -%}
    regexp_matches({{ column }}, {{ pattern }})
{%- endmacro %}


{#- Lower case, without accents or surrounding blanks. -#}
{% macro folded_text(column) -%}
    {{ return(adapter.dispatch('folded_text')(column)) }}
{%- endmacro %}

{% macro default__folded_text(column) -%}
    translate(
        lower(trim({{ column }})),
        'àáâãäåçèéêëìíîïñòóôõöøùúûüýÿ',
        'aaaaaaceeeeiiiinoooooouuuuyy'
    )
{%- endmacro %}

{% macro duckdb__folded_text(column) -%}
    strip_accents(lower(trim({{ column }})))
{%- endmacro %}


{#- The values of a group in a given order, joined by a separator. -#}
{% macro string_aggregate(expression, separator, order_by) -%}
    {{ return(adapter.dispatch('string_aggregate')(expression, separator, order_by)) }}
{%- endmacro %}

{% macro default__string_aggregate(expression, separator, order_by) -%}
    listagg({{ expression }}, '{{ separator }}') within group (order by {{ order_by }})
{%- endmacro %}

{% macro duckdb__string_aggregate(expression, separator, order_by) -%}
    string_agg({{ expression }}, '{{ separator }}' order by {{ order_by }})
{%- endmacro %}
