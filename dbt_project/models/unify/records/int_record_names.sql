-- one row per record and name that any of its versions bore
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[{'model': 'int_touched_records', 'keys': ['record_key']}],
) }}
with

record_versions as (
    select record_key, first_name, last_name, received_at
    from {{ ref('int_record_versions') }}
),

record_names as (
    select
        record_versions.record_key,
        record_versions.first_name,
        record_versions.last_name,
        min(record_versions.received_at) as known_at,
    from record_versions
    where
        record_versions.first_name is not null
        and {{ touched_filter('record_versions', 'int_touched_records', ['record_key']) }}
    group by
        record_versions.record_key,
        record_versions.first_name,
        record_versions.last_name
)

select * from record_names
