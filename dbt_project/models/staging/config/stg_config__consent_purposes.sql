-- one row per purpose, channel and jurisdiction
with

consent_purposes as (
    select
        purpose,
        channel,
        jurisdiction,
        is_permitted_unsaid,
    from {{ source('config', 'consent_purposes') }}
)

select * from consent_purposes
