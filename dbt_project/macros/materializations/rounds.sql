{#-
    The frame around a materialization that works in rounds over helper tables of its own.

        {%- set frame = begin_rounds([links, labels]) -%}
        … rounds …
        {{ return(end_rounds(frame, result_sql)) }}

    The model's table is replaced at the end, by renaming: a run that dies leaves the old one.
-#}
{% macro begin_rounds(helpers) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set frame = {
        'target': target_relation,
        'existing': load_cached_relation(this),
        'built': make_intermediate_relation(target_relation),
        'replaced': make_backup_relation(target_relation, 'table'),
        'helpers': helpers,
    } -%}
    {%- for helper in helpers + [frame.built, frame.replaced] -%}
        {%- do adapter.drop_relation(helper) -%}
    {%- endfor -%}
    {%- do run_hooks(pre_hooks, inside_transaction=False) -%}
    {%- do run_hooks(pre_hooks, inside_transaction=True) -%}
    {{ return(frame) }}
{%- endmacro %}


{% macro end_rounds(frame, result_sql) -%}
    {%- call statement('main') -%}
        create table {{ frame.built }} as {{ result_sql }}
    {%- endcall -%}
    {%- if frame.existing is not none -%}
        {%- do adapter.rename_relation(frame.existing, frame.replaced) -%}
    {%- endif -%}
    {%- do adapter.rename_relation(frame.built, frame.target) -%}
    {%- do persist_docs(frame.target, model) -%}
    {%- do run_hooks(post_hooks, inside_transaction=True) -%}
    {%- do adapter.commit() -%}
    {%- for helper in frame.helpers + [frame.replaced] -%}
        {%- do adapter.drop_relation(helper) -%}
    {%- endfor -%}
    {%- do run_hooks(post_hooks, inside_transaction=False) -%}
    {{ return({'relations': [frame.target]}) }}
{%- endmacro %}


{#- A table of the rounds: the model's name and a suffix. -#}
{% macro component_helper(relation, suffix) -%}
    {{ return(api.Relation.create(
        database=relation.database,
        schema=relation.schema,
        identifier=relation.identifier ~ '__' ~ suffix,
        type='table',
    )) }}
{%- endmacro %}


{% macro component_replace(relation, spare, create_sql) -%}
    {%- do run_query(create_sql) -%}
    {%- do adapter.drop_relation(relation) -%}
    {%- do adapter.rename_relation(spare, relation) -%}
{%- endmacro %}


{% macro component_count(relation, condition='true') -%}
    {%- set counted = run_query(
        'select count(*) as row_count from ' ~ relation ~ ' as spare where ' ~ condition
    ) -%}
    {{ return(counted.columns[0].values()[0] | int) }}
{%- endmacro %}
