-- one row per currency and first day of a rate
with

currency_rates as (
    select
        currency,
        rate,
        valid_from,
    from {{ source('config', 'currency_rates') }}
)

select * from currency_rates
