-- one row per customer, purpose, channel and time for which what was said holds
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

record_customers as (
    select customer_id, record_key from {{ ref('int_record_customers') }}
    where {{ touched_customers_filter('customer_id') }}
),

record_consents as (
    select * from {{ ref('int_record_consents') }}
),

voices as (
    select
        record_customers.customer_id,
        record_consents.source,
        record_consents.voice,
        record_consents.purpose,
        record_consents.channel,
        record_consents.state,
        record_consents.valid_from,
        record_consents.valid_to,
    from record_consents
    inner join record_customers on record_consents.record_key = record_customers.record_key
),

points as (
    select customer_id, purpose, channel, state, valid_from as changed_at, 1 as voice_change
    from voices
    union all
    select customer_id, purpose, channel, state, valid_to, -1
    from voices
    where valid_to is not null
),

changes as (
    select
        points.customer_id,
        points.purpose,
        points.channel,
        points.changed_at,
        sum(case when points.state = 'withdrawn' then points.voice_change else 0 end)
            as withdrawn_change,
        sum(case when points.state = 'pending' then points.voice_change else 0 end)
            as pending_change,
        sum(points.voice_change) as voice_change,
    from points
    group by points.customer_id, points.purpose, points.channel, points.changed_at
),

voices_counted as (
    select
        changes.customer_id,
        changes.purpose,
        changes.channel,
        changes.changed_at,
        sum(changes.withdrawn_change) over (
            partition by changes.customer_id, changes.purpose, changes.channel
            order by changes.changed_at nulls last
            rows between unbounded preceding and current row
        ) as withdrawn_count,
        sum(changes.pending_change) over (
            partition by changes.customer_id, changes.purpose, changes.channel
            order by changes.changed_at nulls last
            rows between unbounded preceding and current row
        ) as pending_count,
        sum(changes.voice_change) over (
            partition by changes.customer_id, changes.purpose, changes.channel
            order by changes.changed_at nulls last
            rows between unbounded preceding and current row
        ) as voice_count,
    from changes
),

-- the most restrictive of what the customer's voices say then
states as (
    select
        voices_counted.customer_id,
        voices_counted.purpose,
        voices_counted.channel,
        voices_counted.changed_at,
        case
            when voices_counted.withdrawn_count > 0 then 'withdrawn'
            when voices_counted.pending_count > 0 then 'pending'
            else 'granted'
        end as state,
        case
            when voices_counted.withdrawn_count = voices_counted.voice_count then 'stated'
            when voices_counted.withdrawn_count > 0 then 'most_restrictive'
            when voices_counted.pending_count = voices_counted.voice_count then 'stated'
            when voices_counted.pending_count > 0 then 'most_restrictive'
            else 'stated'
        end as rule,
    from voices_counted
),

states_beside_previous as (
    select
        states.*,
        lag(states.state || states.rule) over (
            partition by states.customer_id, states.purpose, states.channel
            order by states.changed_at nulls last
        ) as previous,
    from states
),

states_changed as (
    select
        states_beside_previous.*,
        lead(states_beside_previous.changed_at) over (
            partition by
                states_beside_previous.customer_id,
                states_beside_previous.purpose,
                states_beside_previous.channel
            order by states_beside_previous.changed_at nulls last
        ) as valid_to,
    from states_beside_previous
    where
        states_beside_previous.previous is null
        or states_beside_previous.previous
        <> states_beside_previous.state || states_beside_previous.rule
),

-- who says so: of the voices that say it then, the one that said it last
customer_consents as (
    select
        states_changed.customer_id,
        states_changed.purpose,
        states_changed.channel,
        states_changed.state,
        max_by(
            voices.source, {{ time_order_key('voices.valid_from', 'voices.voice') }}
        ) as source,
        states_changed.rule,
        states_changed.changed_at as valid_from,
        states_changed.valid_to,
    from states_changed
    inner join voices
        on
            states_changed.customer_id = voices.customer_id
            and states_changed.purpose = voices.purpose
            and states_changed.channel = voices.channel
            and states_changed.state = voices.state
            and states_changed.changed_at >= voices.valid_from
    where
        voices.valid_to is null
        or voices.valid_to > states_changed.changed_at
    group by
        states_changed.customer_id,
        states_changed.purpose,
        states_changed.channel,
        states_changed.state,
        states_changed.rule,
        states_changed.changed_at,
        states_changed.valid_to
)

select * from customer_consents
