-- one row per subscription, with its first start and its last cancellation after it
with

touchpoints as (
    select touchpoint_id, customer_id, subscription_id, touchpoint_type, occurred_at
    from {{ ref('fct_touchpoints') }}
    where
        subscription_id is not null
        and touchpoint_type in ('subscription_started', 'subscription_cancelled')
),

-- A subscription that is seen on two customers stays with the one who started it first.
starts_ranked as (
    select
        touchpoints.subscription_id,
        touchpoints.customer_id,
        touchpoints.occurred_at as started_at,
        row_number() over (
            partition by touchpoints.subscription_id
            order by touchpoints.occurred_at nulls last, touchpoints.touchpoint_id nulls last
        ) as start_number,
    from touchpoints
    where touchpoints.touchpoint_type = 'subscription_started'
),

cancellations as (
    select
        touchpoints.subscription_id,
        max(touchpoints.occurred_at) as cancelled_at,
    from touchpoints
    where touchpoints.touchpoint_type = 'subscription_cancelled'
    group by touchpoints.subscription_id
),

subscriptions as (
    select
        starts_ranked.subscription_id,
        starts_ranked.customer_id,
        starts_ranked.started_at,
        case
            when cancellations.cancelled_at >= starts_ranked.started_at
                then cancellations.cancelled_at
        end as cancelled_at,
    from starts_ranked
    left join cancellations
        on starts_ranked.subscription_id = cancellations.subscription_id
    where starts_ranked.start_number = 1
)

select * from subscriptions
