{#-
    What a row is, in one number: the last column of a mart that is published by the month.

    On DuckDB the table enforces it by a check over every other column, so no row can change
    without it, whoever writes: the publisher adds it up by month where it would otherwise read
    all columns of history. In the model, as the last CTE:

        select touchpoints.*, {{ row_hash() }} as row_hash from touchpoints

    The columns are those of the model's contract. A unit test of dbt and the linter know none, and
    get null.
    Such a table is never altered, by a comment neither (`persist_docs`): DuckDB 1.5 cannot replay
    an alteration of a table with a check, so a run that was killed after one would leave a file
    that does not open.
    DuckDB's hash may change with its version: an old sum then only makes a month be written again.
-#}
{% macro row_hash() -%}
    {%- set listed = row_hash_columns() -%}
    {%- if listed -%}
        {{ return(adapter.dispatch('row_hash_of')(listed)) }}
    {%- else -%}
        {{ return('cast(null as bigint)') }}
    {%- endif -%}
{%- endmacro %}


{#- The columns of a model's contract but the hash itself, in its order. -#}
{% macro row_hash_columns() -%}
    {%- set columns = model.columns if model is defined and model.columns else {} -%}
    {{ return(columns.keys() | reject('equalto', 'row_hash') | join(', ')) }}
{%- endmacro %}


{% macro default__row_hash_of(columns) -%}
    xxhash64({{ columns }})
{%- endmacro %}

{% macro duckdb__row_hash_of(columns) -%}
    cast(hash({{ columns }}) >> 1 as bigint)
{%- endmacro %}


{#- dbt's columns and constraints of a new table, and the check of a row's hash where it has one. -#}
{% macro duckdb__get_table_columns_and_constraints() -%}
    {%- set parts = adapter.render_raw_columns_constraints(raw_columns=model['columns'])
        + adapter.render_raw_model_constraints(raw_constraints=model['constraints']) -%}
    {%- if 'row_hash' in model['columns'] -%}
        {%- do parts.append('check (row_hash = ' ~ row_hash() ~ ')') -%}
    {%- endif -%}
    ({{ parts | join(', ') }})
{%- endmacro %}
