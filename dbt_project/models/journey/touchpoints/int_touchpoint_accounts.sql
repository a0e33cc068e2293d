-- one row per touchpoint that happened while its customer belonged to an account
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

events as (
    select touchpoint_id, occurred_at from {{ ref('int_events') }}
),

event_owners as (
    select touchpoint_id, owner_record_key from {{ ref('int_event_owners') }}
),

customer_records as (
    select record_key, customer_id
    from {{ ref('stg_identity__customer_records') }}
    where
        customer_id is not null
        and {{ touched_customers_filter('customer_id') }}
),

customer_accounts as (
    select customer_id, account_id, valid_from, valid_to
    from {{ ref('bridge_customer_accounts') }}
),

memberships_ranked as (
    select
        events.touchpoint_id,
        customer_records.customer_id,
        customer_accounts.account_id,
        row_number() over (
            partition by events.touchpoint_id
            order by
                customer_accounts.valid_from desc nulls last,
                customer_accounts.account_id nulls last
        ) as newest_first,
    from events
    inner join event_owners on events.touchpoint_id = event_owners.touchpoint_id
    inner join customer_records
        on event_owners.owner_record_key = customer_records.record_key
    inner join customer_accounts
        on customer_records.customer_id = customer_accounts.customer_id
    where
        (customer_accounts.valid_from is null or events.occurred_at >= customer_accounts.valid_from)
        and (customer_accounts.valid_to is null or events.occurred_at < customer_accounts.valid_to)
),

-- Who belongs to several accounts at once acts for the one joined last.
touchpoint_accounts as (
    select touchpoint_id, customer_id, account_id
    from memberships_ranked
    where newest_first = 1
)

select * from touchpoint_accounts
