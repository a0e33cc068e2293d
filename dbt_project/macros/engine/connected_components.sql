{#-
    Connected components on DuckDB: SciPy finds them, in this process and in the model's
    transaction (`orchestration/unify/clustering.py`). The rounds in SQL of
    `materializations/connected_components.sql` give the same table on any engine.

    Config `kept_pairs=true`: the pairs come from a model with the strategy `kept_pairs`, and only
    components that changed pairs touch are looked at.
-#}
{% materialization connected_components, adapter='duckdb' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set is_whole = should_full_refresh() or existing_relation is none -%}
    {%- set pairs = '"' ~ this.identifier ~ '__pairs"' -%}
    {%- if existing_relation is not none and not existing_relation.is_table -%}
        {%- do adapter.drop_relation(existing_relation) -%}
        {%- set is_whole = true -%}
    {%- endif -%}
    {%- do run_hooks(pre_hooks, inside_transaction=False) -%}
    {%- do run_hooks(pre_hooks, inside_transaction=True) -%}

    {%- call statement('main') -%}
        create or replace temp view {{ pairs }} as
        {{ sql }}
    {%- endcall -%}
    {%- call statement('clusters', language='python') %}
from orchestration.unify import clustering


def dbtObj(load):
    return None


def model(dbt, connection):
    {%- if config.get('kept_pairs', false) %}
    clustering.cluster_changes(
        connection, {{ target_relation | string | tojson }}, {{ pairs | tojson }}, is_whole={{ is_whole }}
    )
    {%- else %}
    clustering.cluster_all(
        connection, {{ target_relation | string | tojson }}, {{ pairs | tojson }}
    )
    {%- endif %}
    return connection.query('select 1 as done')


def materialize(relation, connection):
    pass
    {%- endcall -%}

    {%- do persist_docs(target_relation, model) -%}
    {%- do run_hooks(post_hooks, inside_transaction=True) -%}
    {%- do adapter.commit() -%}
    {%- do run_query('drop view if exists ' ~ pairs) -%}
    {%- do run_hooks(post_hooks, inside_transaction=False) -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
