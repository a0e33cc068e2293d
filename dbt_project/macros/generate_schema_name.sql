{#- The folder's `+schema` is the schema, bare: the same two-level key in DuckDB, dbt and Dagster. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
