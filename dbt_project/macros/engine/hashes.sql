{#- Keyed pseudonym of a direct identifier: HMAC-SHA256, first 32 hex characters; null stays null. -#}
{% macro pseudonym(expression) -%}
    {{ return(adapter.dispatch('pseudonym')(expression)) }}
{%- endmacro %}

{% macro default__pseudonym(expression) -%}
    {{ exceptions.raise_compiler_error('pseudonym needs an implementation for ' ~ target.type) }}
{%- endmacro %}

{% macro duckdb__pseudonym(expression) -%}
    left(
        sha256(
            getvariable('jl_outer')
            || unhex(sha256(getvariable('jl_inner') || encode({{ expression }})))
        ),
        32
    )
{%- endmacro %}


{#- An opaque key of several columns that is the same in every version and on every engine. -#}
{% macro stable_hash(expressions) -%}
    md5(
        {%- for expression in expressions %}
        coalesce(cast({{ expression }} as {{ dbt.type_string() }}), '~')
        {%- if not loop.last %} || '|' ||{% endif -%}
        {% endfor %}
    )
{%- endmacro %}
