-- one row per customer who lives with another one: a household is a level above, never a merge
-- rebuilt in full: whom a customer lives with depends on others
with

household_components as (
    select record_key as customer_id, cluster_key from {{ ref('int_household_components') }}
),

household_ties as (
    select left_customer_id, right_customer_id, rule, trust, valid_from
    from {{ ref('int_household_ties') }}
),

household_settings as (
    select size_cap from {{ ref('stg_config__household_settings') }}
),

ties_by_customer as (
    select left_customer_id as customer_id, rule, trust, valid_from from household_ties
    union all
    select right_customer_id as customer_id, rule, trust, valid_from from household_ties
),

ties_ranked as (
    select
        ties_by_customer.customer_id,
        ties_by_customer.rule,
        min(ties_by_customer.valid_from) over (
            partition by ties_by_customer.customer_id
        ) as valid_from,
        row_number() over (
            partition by ties_by_customer.customer_id
            order by ties_by_customer.trust nulls last, ties_by_customer.valid_from nulls last
        ) as tie_rank,
    from ties_by_customer
),

members_counted as (
    select
        household_components.customer_id,
        household_components.cluster_key,
        count(*) over (partition by household_components.cluster_key) as member_count,
    from household_components
),

customer_households as (
    select
        {{ stable_hash(["'household'", 'members_counted.cluster_key']) }} as household_id,
        members_counted.customer_id,
        ties_ranked.rule,
        cast(members_counted.member_count as integer) as member_count,
        ties_ranked.valid_from,
        cast(null as timestamp) as valid_to,
    from members_counted
    inner join ties_ranked on members_counted.customer_id = ties_ranked.customer_id
    cross join household_settings
    where
        ties_ranked.tie_rank = 1
        and members_counted.member_count <= household_settings.size_cap
)

select * from customer_households
