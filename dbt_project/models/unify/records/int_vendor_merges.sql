-- one row per pair of records that their vendor has merged
with

record_versions as (
    select record_key, source, entity, merged_record_ids, received_at
    from {{ ref('int_record_versions') }}
    where merged_record_ids is not null
),

records as (
    select record_key, first_received_at from {{ ref('int_records_delivered') }}
),

identity_rules as (
    select rule
    from {{ ref('stg_config__identity_rules') }}
    where
        rule = 'vendor_merge'
        and is_enabled
),

merged_ids_split as (
    select
        record_versions.record_key,
        record_versions.source,
        record_versions.entity,
        {{ split_to_rows('record_versions.merged_record_ids', ';') }} as merged_record_id,
        record_versions.received_at,
    from record_versions
    cross join identity_rules
),

merges as (
    select
        merged_ids_split.record_key,
        -- an id of another table of the source comes with that table's name
        merged_ids_split.source || '/' || case
            when merged_ids_split.merged_record_id like '%/%' then ''
            else merged_ids_split.entity || '/'
        end || trim(merged_ids_split.merged_record_id) as merged_record_key,
        min(merged_ids_split.received_at) as known_at,
    from merged_ids_split
    group by all
),

vendor_merges as (
    select
        least(merges.record_key, merges.merged_record_key) as left_record_key,
        greatest(merges.record_key, merges.merged_record_key) as right_record_key,
        min(greatest(
            merges.known_at, survivors.first_received_at, merged_records.first_received_at
        )) as known_at,
    from merges
    inner join records as survivors on merges.record_key = survivors.record_key
    inner join records as merged_records
        on merges.merged_record_key = merged_records.record_key
    where merges.record_key <> merges.merged_record_key
    group by all
)

select * from vendor_merges
