-- one row per warehouse: what holds for every identifier
with

identity_settings as (
    select
        normaliser_settings,
        block_cap,
        prior_weight,
        merge_weight,
        review_weight,
        certain_weight,
        is_first_name_needed,
    from {{ source('config', 'identity_settings') }}
)

select * from identity_settings
