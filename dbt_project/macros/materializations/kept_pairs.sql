{#-
    A table of pairs that knows what changed since it was first built. In the model:

        {{ config(materialized='incremental', incremental_strategy='kept_pairs') }}
        …
        select
            left_record_key, right_record_key,
            {{ kept_pair_columns() }}

    The model's SQL gives the pairs that stand, each once. The table has one row per pair that
    stands or has stood since: `is_gone` where it does not, `change_number` of the build in which
    that last changed, and the `generation` of builds that the numbers count in. A pair that did
    not change is not written again; those that did stand last, so that their reader skips the rest.
-#}
{% macro kept_pair_columns() -%}
    false as is_gone,
        '{{ invocation_id }}' as generation,
        cast(1 as integer) as change_number,
{%- endmacro %}


{#- dbt's hook for `incremental_strategy='kept_pairs'`: both statements in one transaction. -#}
{% macro get_incremental_kept_pairs_sql(arg_dict) -%}
    {%- set kept = arg_dict['target_relation'] -%}
    {%- set given = arg_dict['temp_relation'] -%}
    insert into {{ kept }}
        (left_record_key, right_record_key, is_gone, generation, change_number)
    with latest as (
        select
            max(kept.generation) as generation,
            cast(coalesce(max(kept.change_number), 0) + 1 as integer) as change_number
        from {{ kept }} as kept
    ),

    standing as (
        select kept.left_record_key, kept.right_record_key
        from {{ kept }} as kept
        where not kept.is_gone
    ),

    changed as (
        select
            coalesce(given.left_record_key, standing.left_record_key) as left_record_key,
            coalesce(given.right_record_key, standing.right_record_key) as right_record_key,
            given.left_record_key is null as is_gone
        from {{ given }} as given
        full outer join standing
            on
                given.left_record_key = standing.left_record_key
                and given.right_record_key = standing.right_record_key
        where given.left_record_key is null or standing.left_record_key is null
    )

    select
        changed.left_record_key,
        changed.right_record_key,
        changed.is_gone,
        coalesce(latest.generation, '{{ invocation_id }}') as generation,
        latest.change_number
    from changed
    cross join latest;

    delete from {{ kept }} as former
    where
        former.change_number < (select max(latest.change_number) from {{ kept }} as latest)
        and exists (
            select 1
            from {{ kept }} as changed
            where
                changed.left_record_key = former.left_record_key
                and changed.right_record_key = former.right_record_key
                and changed.change_number = (
                    select max(latest.change_number) from {{ kept }} as latest
                )
        )
{%- endmacro %}
