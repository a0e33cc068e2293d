{#-
    Tables that outlive a dbt run and that dbt reads as sources: the id ledger's (written by
    the ledger step) and the mark up to which the customer-grained models are built.
    Created empty where they are missing, so that `dbt build` alone works.
-#}
{% macro create_pipeline_state() -%}
    {%- if execute and flags.WHICH in ['build', 'run', 'test'] -%}
        {%- for schema in ['identity', 'pipeline'] -%}
            {%- do run_query('create schema if not exists ' ~ schema) -%}
        {%- endfor -%}
        {%- do run_query(
            'create table if not exists identity.customer_records (record_key varchar, '
            ~ 'customer_id varchar, changed_at timestamp, load_number integer, '
            ~ 'previous_customer_id varchar)'
        ) -%}
        {%- do run_query(
            'create table if not exists identity.customer_changes '
            ~ '(load_number integer, customer_id varchar)'
        ) -%}
        {%- do run_query(
            'create table if not exists identity.history (known_at timestamp, '
            ~ 'occurred_at timestamp, change varchar, customer_id varchar, '
            ~ 'other_customer_id varchar, rule varchar, evidence varchar)'
        ) -%}
        {%- do run_query(
            'create table if not exists identity.aliases (old_customer_id varchar, '
            ~ 'customer_id varchar, known_at timestamp)'
        ) -%}
        {%- do run_query(
            'create table if not exists pipeline.build_marks '
            ~ '(load_number integer, as_of timestamp)'
        ) -%}
        {%- do run_query(
            'create table if not exists pipeline.phase_marks '
            ~ '(phase varchar, load_number integer)'
        ) -%}
    {%- endif -%}
{%- endmacro %}


{#-
    Moves the mark to the newest load that the id ledger has resolved when every model of the schemas unify, journey and decide
    that follows the id ledger succeeded in this invocation; otherwise the next run takes the same
    customers again. A subset (one asset in the UI) never moves it.
-#}
{% macro mark_customer_grain_built(results) -%}
    {%- if execute and flags.WHICH in ['build', 'run'] -%}
        {%- set expected = [] -%}
        {%- for node in graph.nodes.values() -%}
            {%- if
                node.resource_type == 'model'
                and node.schema in ['unify', 'journey', 'decide']
                and 'phase_records' not in node.tags
            -%}
                {%- do expected.append(node.unique_id) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set succeeded = [] -%}
        {%- for result in results -%}
            {%- if result.status | string == 'success' -%}
                {%- do succeeded.append(result.node.unique_id) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if expected and (expected | reject('in', succeeded) | list | length) == 0 -%}
            create or replace table pipeline.build_marks as
            select
                cast(clocks.as_of as timestamp) as as_of,
                cast(
                    coalesce(
                        (
                            select max(phase_marks.load_number)
                            from pipeline.phase_marks as phase_marks
                            where phase_marks.phase = 'resolved'
                        ),
                        0
                    )
                    as integer
                ) as load_number,
            from pipeline.clock as clocks
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
