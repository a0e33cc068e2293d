-- one row per limit of what one cluster may hold
with

identity_cluster_limits as (
    select
        cluster_limit,
        attribute,
        at_most,
        refuses,
    from {{ source('config', 'identity_cluster_limits') }}
)

select * from identity_cluster_limits
