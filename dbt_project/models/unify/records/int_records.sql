-- one row per record about a customer, as its latest version says; staff are left out
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[{'model': 'int_touched_records', 'keys': ['record_key']}],
) }}
with

record_versions as (
    select * from {{ ref('int_record_versions') }}
),

records_delivered as (
    select record_key from {{ ref('int_records_delivered') }} as delivered
    where
        staff_known_at is null
        and {{ touched_filter('delivered', 'int_touched_records', ['record_key']) }}
),

versions_ranked as (
    select
        record_versions.*,
        min(record_versions.created_at) over (
            partition by record_versions.record_key
        ) as first_created_at,
        min(record_versions.received_at) over (
            partition by record_versions.record_key
        ) as first_received_at,
        max(record_versions.load_number) over (
            partition by record_versions.record_key
        ) as newest_load_number,
        row_number() over (
            partition by record_versions.record_key
            order by
                record_versions.version_at desc nulls last,
                record_versions.version_hash desc nulls last
        ) as version_rank,
    from record_versions
    inner join records_delivered
        on record_versions.record_key = records_delivered.record_key
),

records as (
    select
        versions_ranked.record_key,
        versions_ranked.source,
        versions_ranked.entity,
        versions_ranked.record_id,
        versions_ranked.user_id,
        versions_ranked.company_id,
        versions_ranked.email,
        versions_ranked.phone,
        versions_ranked.mobile_phone,
        versions_ranked.first_name,
        versions_ranked.last_name,
        versions_ranked.job_title,
        versions_ranked.job_role,
        versions_ranked.industry,
        versions_ranked.country,
        versions_ranked.language,
        versions_ranked.lifecycle_stage,
        versions_ranked.plan,
        versions_ranked.subscription_status,
        versions_ranked.newest_load_number as load_number,
        versions_ranked.is_archived,
        versions_ranked.first_created_at as created_at,
        versions_ranked.version_at,
        versions_ranked.first_received_at,
    from versions_ranked
    where versions_ranked.version_rank = 1
)

select * from records
