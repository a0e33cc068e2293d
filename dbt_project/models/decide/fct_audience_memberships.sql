-- one row per audience and customer who is in it at the as-of, whether or not they may be reached
{%- set text = dbt.type_string() %}

with

audiences as (
    select audience, channel, condition_count from {{ ref('stg_config__audiences') }}
),

matches as (
    select audience, customer_id, condition_number, met_at from {{ ref('int_audience_matches') }}
),

email_consents as (
    select customer_id, channel, consent_state, suppressed_by
    from {{ ref('int_customer_email_consents') }}
),

push_consents as (
    select customer_id, channel, consent_state, suppressed_by
    from {{ ref('int_customer_push_consents') }}
),

consents as (
    select * from email_consents
    union all
    select * from push_consents
),

-- All conditions hold; the last one to come true makes the member.
matches_counted as (
    select
        matches.audience,
        matches.customer_id,
        count(*) as met_count,
        max(matches.met_at) as qualified_at,
    from matches
    group by matches.audience, matches.customer_id
),

members as (
    select
        matches_counted.audience,
        matches_counted.customer_id,
        audiences.channel,
        matches_counted.qualified_at,
    from matches_counted
    inner join audiences
        on
            matches_counted.audience = audiences.audience
            and matches_counted.met_count = audiences.condition_count
),

-- Of whom nothing is known, neither consent nor where to reach them.
memberships as (
    select
        cast(members.audience as {{ text }}) as audience,
        cast(members.customer_id as {{ text }}) as customer_id,
        cast(members.channel as {{ text }}) as channel,
        cast(coalesce(consents.consent_state, 'never_given') as {{ text }}) as consent_state,
        cast(
            case
                when consents.customer_id is null then 'no_address'
                else consents.suppressed_by
            end as {{ text }}
        ) as suppressed_by,
        consents.customer_id is not null and consents.suppressed_by is null as is_reachable,
        members.qualified_at,
    from members
    left join consents
        on
            members.customer_id = consents.customer_id
            and members.channel = consents.channel
)

select * from memberships
