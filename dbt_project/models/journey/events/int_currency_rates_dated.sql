-- one row per currency and day from which its rate to the reporting currency holds
with

currency_rates as (
    select currency, rate, valid_from from {{ ref('stg_config__currency_rates') }}
),

currency_rates_dated as (
    select
        currency_rates.currency,
        cast(currency_rates.rate as decimal(18, 8)) as rate,
        currency_rates.valid_from,
        coalesce(
            lead(currency_rates.valid_from) over (
                partition by currency_rates.currency
                order by currency_rates.valid_from nulls last
            ),
            cast('9999-12-31' as date)
        ) as valid_to,
    from currency_rates
)

select * from currency_rates_dated
