-- one row per stage that a deal with a contact entered
{{ config(materialized='view' if target.type != 'spark' else 'table') }}

with

deals as (
    select deal_id, deal_record_key, source, record_key, owner_key, original_amount, currency
    from {{ ref('int_deals') }}
),

deal_stages as (
    select deal_id, deal_stage, stage_number, load_number, entered_at, known_at
    from {{ ref('int_deal_stages') }}
),

currency_rates as (
    select currency, rate, valid_from, valid_to from {{ ref('int_currency_rates_dated') }}
),

stages_named as (
    select
        deal_stages.*,
        case
            when {{ deal_outcome('deal_stages.deal_stage') }} = 'won' then 'deal_won'
            when {{ deal_outcome('deal_stages.deal_stage') }} = 'lost' then 'deal_lost'
            when deal_stages.stage_number = 1 then 'deal_opened'
            else 'deal_moved'
        end as touchpoint_type,
    from deal_stages
),

-- A deal that moves on states no money of its own: it would be counted at every move.
stages_beside_deals as (
    select
        stages_named.*,
        deals.deal_record_key,
        deals.source,
        deals.record_key,
        deals.owner_key,
        case when stages_named.touchpoint_type <> 'deal_moved' then deals.original_amount end
            as original_amount,
        case when stages_named.touchpoint_type <> 'deal_moved' then deals.currency end
            as currency,
    from stages_named
    inner join deals on stages_named.deal_id = deals.deal_id
),

events_described as (
    select
        {{ event_columns({
            'touchpoint_id': pseudonym(
                "stages_beside_deals.deal_record_key || '|'"
                ~ " || stages_beside_deals.deal_stage || '|'"
                ~ ' || cast(' ~ epoch_milliseconds('stages_beside_deals.entered_at')
                ~ ' as ' ~ dbt.type_string() ~ ')'
            ),
            'source': 'stages_beside_deals.source',
            'touchpoint_type': 'stages_beside_deals.touchpoint_type',
            'record_key': 'stages_beside_deals.record_key',
            'direction': "'outbound'",
            'trigger_kind': "'agent'",
            'department_key': 'stages_beside_deals.owner_key',
            'agent_key': 'stages_beside_deals.owner_key',
            'deal_id': 'stages_beside_deals.deal_id',
            'value_amount': at_rate(
                'stages_beside_deals.original_amount', 'currency_rates.rate'
            ),
            'original_amount': 'stages_beside_deals.original_amount',
            'currency': 'stages_beside_deals.currency',
            'load_number': 'stages_beside_deals.load_number',
            'occurred_at': 'stages_beside_deals.entered_at',
            'known_at': 'stages_beside_deals.known_at',
        }) }}
    from stages_beside_deals
    left join currency_rates
        on
            stages_beside_deals.currency = currency_rates.currency
            and cast(stages_beside_deals.entered_at as date) >= currency_rates.valid_from
            and cast(stages_beside_deals.entered_at as date) < currency_rates.valid_to
)

select * from events_described
