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

newest_versions as (
    select max(load_number) as load_number from {{ ref('int_record_versions') }}
),

-- what was here before, so that whatever comes or moves is told from what is only said again
blocks_before as (
    {%- if is_incremental() %}
    select block_value, record_key, came_load_number, moved_load_number, known_at from {{ this }}
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as block_value,
        cast(null as {{ dbt.type_string() }}) as record_key,
        cast(null as integer) as came_load_number,
        cast(null as integer) as moved_load_number,
        cast(null as timestamp) as known_at
    where false
    {%- endif %}
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
),

record_blocks as (
    select
        records_in_blocks.block_value,
        records_in_blocks.record_key,
        records_in_blocks.block_cap,
        coalesce(blocks_before.came_load_number, newest_versions.load_number)
            as came_load_number,
        case
            when blocks_before.known_at <> records_in_blocks.known_at
                then newest_versions.load_number
            else blocks_before.moved_load_number
        end as moved_load_number,
        records_in_blocks.known_at,
    from records_in_blocks
    cross join newest_versions
    left join blocks_before
        on
            records_in_blocks.block_value = blocks_before.block_value
            and records_in_blocks.record_key = blocks_before.record_key
)

select * from record_blocks
