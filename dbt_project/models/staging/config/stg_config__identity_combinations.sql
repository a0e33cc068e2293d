-- one row per match rule that compares a combination of attributes
with

identity_combinations as (
    select
        rule,
        uses_first_name,
        uses_last_name,
        uses_birth_date,
        uses_street,
        uses_house_number,
        uses_postal_code,
        uses_city,
        uses_country,
    from {{ source('config', 'identity_combinations') }}
)

select * from identity_combinations
