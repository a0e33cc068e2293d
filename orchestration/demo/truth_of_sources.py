"""Truth about single sources: consent for e-mail, deals, the employees' pulse; as SQL.

Each query reads the simulated world when it holds what has been delivered by the last night.
"""

from __future__ import annotations

# What a person's subscription came to by what has been delivered of it; a complaint outlasts all.
CONSENTS = """
with said as (
    select idx, split_part(event_id, '|', 3) as word from truth_event
    where entity = 'email_activity' and night <= date '{last}'
),
changed as (
    select split_part(row_key, '|', 1) as record_id,
        max(split_part(row_key, '|', 2)::bigint) as changed_ms
    from out_row where source = 'mailchimp' and entity = 'members' and row_key not like 'broken%'
    group by all
),
asked as (
    select
        member.idx,
        coalesce(left_ms <= changed_ms, false) as has_left, bounces,
        member.idx in (select idx from said where word = 'unsub') as has_unsubscribed,
        member.idx in (select idx from said where word = 'abuse') as has_complained
    from member join changed using (record_id)
    where record_id in (select record_id from delivered_record where source = 'mailchimp')
)
select person_id, 'email' as channel,
    case when has_complained then 'complained'
        when has_unsubscribed or has_left and not bounces then 'unsubscribed'
        when has_left then 'bounced' end as suppressed_by
from asked join person using (idx)
order by person_id
"""

# Deals as the newest version that was delivered has them.
DEALS = """
with newest as (
    select idx, split_part(row_key, '|', 1) as deal_id, arg_max(line, at_ms) as line,
        max(at_ms) as newest_ms
    from out_row where source = 'hubspot' and entity = 'deals' and row_key not like 'broken%'
    group by all
),
said as (
    select *, json_extract_string(line, '$.properties.dealstage') as current_stage from newest
)
select
    deal_id, person_id, current_stage,
    case current_stage when 'closedwon' then 'won' when 'closedlost' then 'lost' end as outcome,
    json_extract_string(line, '$.properties.closed_lost_reason') as lost_reason,
    json_extract_string(line, '$.properties.competitor') as competitor,
    json_extract_string(line, '$.properties.amount')::decimal(18, 2) as amount,
    to_ts(case when current_stage like 'closed%' then newest_ms end) as closed_at
from said join person using (idx)
order by deal_id
"""

# What employees answered, by department and month.
PULSES = """
select split_part(line, ',', 2) as department,
    date_trunc('month', to_ts(at_ms))::date as period_start,
    count(*) as answers, sum(split_part(line, ',', 4)::integer) as score_sum
from (
    select distinct row_key, at_ms, line from out_row
    where entity = 'pulses' and row_key not like 'broken%'
)
group by all order by all
"""
