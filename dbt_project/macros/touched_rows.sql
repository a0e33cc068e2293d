{#-
    How a model of matching is incremental. In the model:

        {{ config(
            materialized='incremental',
            incremental_strategy='touched_rows',
            touched=[{'model': 'int_touched_records', 'keys': ['record_key']}],
        ) }}
        …
        where {{ touched_filter('record_versions', 'int_touched_records', ['record_key']) }}

    A model `int_touched_…` names the keys whose rows have to be taken anew. The filter keeps the
    rows of a relation that bear such a key (all of them on a first build or a full refresh); the
    strategy deletes the model's own rows that do, and appends. A column that is called otherwise
    than the touched model's is written `column=key`; `among` limits an entry to rows of which a
    condition holds. `retaken` is a condition on rows that are taken anew each night.

    The touched models look from the mark of the last complete matching, so that what a run that
    died or built some of the models has left is taken again.
-#}
{% macro touched_filter(relation, model, keys) -%}
    {%- set touched = ref(model) -%}
    {%- if is_incremental() -%}
        {{ bears_touched(relation, touched, keys) }}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}


{% macro bears_touched(relation, touched, keys) -%}
    exists (
            select 1 from {{ touched }} as touched
            where
                {% for pair in keys -%}
                {{ relation }}.{{ pair.split('=')[0] }} = touched.{{ pair.split('=')[-1] }}
                {%- if not loop.last %}
                and {% endif %}
                {%- endfor %}
        )
{%- endmacro %}


{#- Keeps what was loaded since the last complete matching (everything on a first build). -#}
{% macro loaded_since_matched(column='load_number') -%}
    {%- set phase_marks = ref('stg_pipeline__phase_marks') -%}
    {%- if is_incremental() -%}
        {{ column }} > (
            select coalesce(max(phase_marks.load_number), 0) from {{ phase_marks }} as phase_marks
            where phase_marks.phase = 'matched'
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}


{#- dbt's hook for `incremental_strategy='touched_rows'`: one transaction with the insert. -#}
{% macro get_incremental_touched_rows_sql(arg_dict) -%}
    {%- set target_relation = arg_dict['target_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- for by in config.get('touched') %}
    {%- set touched = api.Relation.create(
        database=target_relation.database, schema='unify', identifier=by['model']
    ) %}
    delete from {{ target_relation }} as former
    where {{ by.get('among', 'true') }} and {{ bears_touched('former', touched, by['keys']) }};
    {%- endfor %}
    {%- if config.get('retaken') %}
    delete from {{ target_relation }}
    where {{ config.get('retaken') }};
    {%- endif %}

    insert into {{ target_relation }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{%- endmacro %}
