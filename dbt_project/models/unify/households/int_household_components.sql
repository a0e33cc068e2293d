-- one row per customer who lives with another one, with the smallest customer of the household
{{ config(materialized='connected_components') }}

with

household_ties as (
    select left_customer_id, right_customer_id from {{ ref('int_household_ties') }}
),

ties as (
    select distinct
        household_ties.left_customer_id as left_record_key,
        household_ties.right_customer_id as right_record_key,
    from household_ties
)

select * from ties
