-- one row per cluster limit of identity.yml, record and time for which its versions say a value
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[{'model': 'int_touched_records', 'keys': ['record_key']}],
) }}
with

record_versions as (
    select * from {{ ref('int_record_versions') }} as versions
    where {{ touched_filter('versions', 'int_touched_records', ['record_key']) }}
),

cluster_limits as (
    select cluster_limit, attribute, at_most, refuses
    from {{ ref('stg_config__identity_cluster_limits') }}
),

values_stacked as (
    select
        record_key, 'user_id' as attribute, user_id as limited_value,
        version_at, version_hash, received_at,
    from record_versions
    union all
    select record_key, 'email', email, version_at, version_hash, received_at
    from record_versions
    union all
    select record_key, 'phone', phone, version_at, version_hash, received_at
    from record_versions
    union all
    select
        record_key, 'birth_date', cast(birth_date as {{ dbt.type_string() }}),
        version_at, version_hash, received_at,
    from record_versions
    union all
    select
        record_key, 'country',
        coalesce(country, {{ country_of_phone('phone') }}),
        version_at, version_hash, received_at,
    from record_versions
    union all
    select record_key, 'postal_code', postal_code, version_at, version_hash, received_at
    from record_versions
    union all
    select
        record_key, 'record', record_key as limited_value,
        version_at, version_hash, received_at,
    from record_versions
    union all
    select
        record_key, source || '/' || entity, record_key as limited_value,
        version_at, version_hash, received_at,
    from record_versions
),

versions_limited as (
    select
        values_stacked.record_key,
        values_stacked.limited_value,
        cluster_limits.cluster_limit,
        cluster_limits.at_most,
        cluster_limits.refuses,
        {{ time_order_key('values_stacked.version_at', 'values_stacked.version_hash') }}
            as version_order,
        values_stacked.received_at,
    from values_stacked
    inner join cluster_limits on values_stacked.attribute = cluster_limits.attribute
    where values_stacked.limited_value is not null
),

newest_at_arrival as (
    select
        versions_limited.record_key,
        versions_limited.cluster_limit,
        versions_limited.at_most,
        versions_limited.refuses,
        versions_limited.received_at,
        max(versions_limited.version_order) as version_order,
        max_by(versions_limited.limited_value, versions_limited.version_order)
            as limited_value,
    from versions_limited
    group by
        versions_limited.record_key,
        versions_limited.cluster_limit,
        versions_limited.at_most,
        versions_limited.refuses,
        versions_limited.received_at
),

-- what the record says is what its newest version among those received says
newest_so_far as (
    select
        newest_at_arrival.*,
        coalesce(
            max(newest_at_arrival.version_order) over (
                partition by newest_at_arrival.record_key, newest_at_arrival.cluster_limit
                order by newest_at_arrival.received_at nulls last
                rows between unbounded preceding and 1 preceding
            ),
            ''
        ) as version_order_before,
    from newest_at_arrival
),

changes as (
    select
        newest_so_far.*,
        lag(newest_so_far.limited_value) over (
            partition by newest_so_far.record_key, newest_so_far.cluster_limit
            order by newest_so_far.received_at nulls last
        ) as limited_value_before,
    from newest_so_far
    where newest_so_far.version_order > newest_so_far.version_order_before
),

values_dated as (
    select
        changes.record_key,
        changes.cluster_limit,
        changes.limited_value,
        changes.at_most,
        changes.refuses,
        changes.received_at as known_at,
        lead(changes.received_at) over (
            partition by changes.record_key, changes.cluster_limit
            order by changes.received_at nulls last
        ) as dead_at,
    from changes
    where
        changes.limited_value_before is null
        or changes.limited_value_before <> changes.limited_value
)

select * from values_dated
