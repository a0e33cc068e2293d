-- one row per pair of customers who live together, and household rule that says so
with

household_values as (
    select rule, trust, shared_value, customer_id, first_name, valid_from
    from {{ ref('int_household_values') }}
),

household_settings as (
    select size_cap from {{ ref('stg_config__household_settings') }}
),

first_names as (
    select first_name, name_group from {{ ref('stg_config__identity_first_names') }}
),

same_first_names as (
    select distinct
        first_names.first_name as left_first_name,
        other_names.first_name as right_first_name,
    from first_names
    inner join first_names as other_names on first_names.name_group = other_names.name_group
),

values_counted as (
    select
        household_values.rule,
        household_values.shared_value,
        count(distinct household_values.customer_id) as customer_count,
    from household_values
    group by household_values.rule, household_values.shared_value
),

-- what more people share than may live together is an office's, not a household's
values_shared as (
    select household_values.*
    from household_values
    inner join values_counted
        on
            household_values.rule = values_counted.rule
            and household_values.shared_value = values_counted.shared_value
    cross join household_settings
    where values_counted.customer_count between 2 and household_settings.size_cap
),

pairs as (
    select
        values_shared.customer_id as left_customer_id,
        others.customer_id as right_customer_id,
        values_shared.rule,
        values_shared.trust,
        (
            same_first_names.left_first_name is not null
            or {{ first_names_match('values_shared.first_name', 'others.first_name') }}
        ) as has_same_first_name,
        greatest(values_shared.valid_from, others.valid_from) as valid_from,
    from values_shared
    inner join values_shared as others
        on
            values_shared.rule = others.rule
            and values_shared.shared_value = others.shared_value
            and values_shared.customer_id < others.customer_id
    left join same_first_names
        on
            values_shared.first_name = same_first_names.left_first_name
            and others.first_name = same_first_names.right_first_name
),

pairs_judged as (
    select
        pairs.left_customer_id,
        pairs.right_customer_id,
        count(*) filter (where pairs.has_same_first_name) as same_name_count,
    from pairs
    group by pairs.left_customer_id, pairs.right_customer_id
),

-- two customers of one first name may be one person, who would live with nobody
household_ties as (
    select
        pairs.left_customer_id,
        pairs.right_customer_id,
        pairs.rule,
        pairs.trust,
        min(pairs.valid_from) as valid_from,
    from pairs
    inner join pairs_judged
        on
            pairs.left_customer_id = pairs_judged.left_customer_id
            and pairs.right_customer_id = pairs_judged.right_customer_id
    where pairs_judged.same_name_count = 0
    group by
        pairs.left_customer_id,
        pairs.right_customer_id,
        pairs.rule,
        pairs.trust
)

select * from household_ties
