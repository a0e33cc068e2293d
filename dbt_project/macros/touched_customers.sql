{#-
    How a customer-grained model is incremental. In the model:

        {{ config(
            materialized='incremental',
            incremental_strategy='touched_customers',
            tags=['customer_grain'],
        ) }}
        …
        where {{ touched_customers_filter('events.customer_id') }}

    The filter keeps the customers of `int_touched_customers` (everything on a first build or
    a full refresh). The strategy deletes the rows of the touched customers, and of ids that
    no record bears any more, and then appends: a customer who lost all rows loses them here.
    The model's key column must be `customer_id`.
-#}
{% macro touched_customers_filter(column='customer_id') -%}
    {%- set touched = ref('int_touched_customers') -%}
    {%- if is_incremental() -%}
        {{ column }} in (select touched.customer_id from {{ touched }} as touched)
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}


{#- The deletion alone, for a model that appends by a strategy of its own (as a pre-hook). -#}
{% macro delete_touched() -%}
    {%- set touched = ref('int_touched_customers') -%}
    {%- set owners = ref('stg_identity__customer_records') -%}
    {%- if is_incremental() -%}
        {{ delete_touched_from(this, touched, owners) }}
    {%- endif -%}
{%- endmacro %}


{% macro delete_touched_from(target, touched, owners) -%}
    delete from {{ target }}
    where
        customer_id in (select touched.customer_id from {{ touched }} as touched)
        or customer_id not in (
            select owners.customer_id from {{ owners }} as owners
            where owners.customer_id is not null
        )
{%- endmacro %}


{#- dbt's hook for `incremental_strategy='touched_customers'`: one transaction with the insert. -#}
{% macro get_incremental_touched_customers_sql(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set unify = api.Relation.create(
        database=arg_dict['target_relation'].database,
        schema='unify',
        identifier='int_touched_customers',
    ) -%}
    {%- set owners = api.Relation.create(
        database=arg_dict['target_relation'].database,
        schema='staging',
        identifier='stg_identity__customer_records',
    ) -%}
    {{ delete_touched_from(arg_dict['target_relation'], unify, owners) }};

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{%- endmacro %}
