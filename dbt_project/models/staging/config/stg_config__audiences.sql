-- one row per audience
with

audiences as (
    select
        audience,
        channel,
        owner,
        description,
        rule,
        condition_count,
    from {{ source('config', 'audiences') }}
)

select * from audiences
