-- one row per block that may hold records of one person, and record in it
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[{'model': 'int_touched_records', 'keys': ['record_key']}],
) }}
with

record_states as (
    select
        record_key,
        first_name,
        last_name,
        name_group,
        other_name_group,
        postal_code,
        street,
        house_number,
        birth_date,
        known_at,
    from {{ ref('int_record_states') }} as states
    where {{ touched_filter('states', 'int_touched_records', ['record_key']) }}
),

identity_settings as (
    select block_cap from {{ ref('stg_config__identity_settings') }}
    where merge_weight is not null
),

blocks_stacked as (
    select
        record_key,
        'last|' || last_name || '|' || substr(first_name, 1, 1) as block_value,
        known_at,
    from record_states
    union all
    select
        record_key,
        'first|' || first_name || '|' || substr(last_name, 1, 2),
        known_at,
    from record_states
    where length(first_name) > 1
    union all
    select
        record_key,
        'form|' || last_name || '|' || cast(name_group as {{ dbt.type_string() }}),
        known_at,
    from record_states
    where name_group is not null
    union all
    select
        record_key,
        'form|' || last_name || '|' || cast(other_name_group as {{ dbt.type_string() }}),
        known_at,
    from record_states
    where other_name_group <> name_group
    union all
    select
        record_key,
        'names|' || least(first_name, last_name) || '|' || greatest(first_name, last_name),
        known_at,
    from record_states
    where
        first_name is not null
        and last_name is not null
    union all
    select
        record_key,
        'born|' || birth_date || '|' || substr(first_name, 1, 1),
        known_at,
    from record_states
    union all
    select
        record_key,
        'born|' || birth_date || '|' || substr(last_name, 1, 1),
        known_at,
    from record_states
    union all
    select
        record_key,
        'home|' || postal_code || '|' || substr(last_name, 1, 3),
        known_at,
    from record_states
    where birth_date is not null or street is not null
    union all
    select
        record_key,
        'home|' || postal_code || '|' || house_number || '|' || substr(street, 1, 4),
        known_at,
    from record_states
),

records_in_blocks as (
    select
        blocks_stacked.block_value,
        blocks_stacked.record_key,
        identity_settings.block_cap,
        min(blocks_stacked.known_at) as known_at,
    from blocks_stacked
    cross join identity_settings
    where blocks_stacked.block_value is not null
    group by
        blocks_stacked.block_value,
        blocks_stacked.record_key,
        identity_settings.block_cap
)

select * from records_in_blocks
