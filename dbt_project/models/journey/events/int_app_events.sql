-- one row per app event that is a touchpoint (track, page, screen call, action of a stream)
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

delivered_events as (
    {{- stacked_app_events() }}
),

app_events as (
    select *
    from delivered_events
    where
        type in ('track', 'page', 'screen', 'action')
        and {{ newly_loaded('load_number') }}
),

currency_rates as (
    select currency, rate, valid_from, valid_to from {{ ref('int_currency_rates_dated') }}
),

events_named as (
    select
        app_events.*,
        case app_events.type
            when 'page' then 'page_viewed'
            when 'screen' then 'screen_viewed'
            else {{ touchpoint_name('app_events.event') }}
        end as touchpoint_type,
        {{ clock_corrected(
            'app_events.original_at',
            'app_events.sent_at',
            'app_events.segment_received_at',
            'app_events.event_at',
        ) }} as occurred_at,
    from app_events
),

-- The wide text of an event is read here, once; nothing after this model opens it again.
events_with_codes as (
    select
        events_named.*,
        {{ json_text('events_named.properties', 'campaign_id') }} as push_campaign_id,
        {{ json_text('events_named.properties', 'feature_id') }} as feature_id,
        {{ json_text('events_named.properties', 'error_code') }} as error_code,
        {{ json_text('events_named.properties', 'arm') }} as experiment_arm,
        {{ json_text('events_named.properties', 'order_id') }} as order_id,
        {{ json_text('events_named.properties', 'subscription_id') }} as subscription_id,
        {{ json_text('events_named.properties', 'currency') }} as currency,
        try_cast(
            coalesce(
                {{ json_text('events_named.properties', 'total') }},
                {{ json_text('events_named.properties', 'amount') }}
            ) as decimal(18, 4)
        ) as original_amount,
    from events_named
),

events_described as (
    select
        {{ event_columns({
            'touchpoint_id': pseudonym(
                "events_with_codes.source || '/' || events_with_codes.entity || '/'"
                ~ " || events_with_codes.message_id || '|' || events_with_codes.type"
                ~ " || '|' || coalesce(events_with_codes.event, events_with_codes.name, '')"
            ),
            'source': 'events_with_codes.source',
            'touchpoint_type': 'events_with_codes.touchpoint_type',
            'record_key': "events_with_codes.source || '/users/' || events_with_codes.user_id",
            'anonymous_id': 'events_with_codes.anonymous_id',
            'email': 'case when coalesce(events_with_codes.user_id,'
                ~ ' events_with_codes.anonymous_id) is null then '
                ~ normalised_email('events_with_codes.email') ~ ' end',
            'direction': "case when events_with_codes.touchpoint_type = 'push_sent'"
                ~ " then 'outbound' else 'inbound' end",
            'trigger_kind': "case when events_with_codes.touchpoint_type = 'push_sent'"
                ~ " then 'campaign' when events_with_codes.touchpoint_type in ('invoice_paid',"
                ~ " 'invoice_failed', 'subscription_renewed', 'experiment_assigned')"
                ~ " then 'system' else 'customer' end",
            'region': "case when events_with_codes.locale like '%-__'"
                ~ " then upper(split_part(events_with_codes.locale, '-', -1)) end",
            'channel': "case when events_with_codes.channel is not null then"
                ~ " events_with_codes.channel when events_with_codes.touchpoint_type in ('push_sent',"
                ~ " 'push_opened') then 'push' when events_with_codes.device_type in"
                ~ " ('ios', 'android', 'mobile_app') then 'app' else 'web' end",
            'device_type': 'events_with_codes.device_type',
            'app_version': 'events_with_codes.app_version',
            'department_key': "'product'",
            'campaign_id': 'coalesce(events_with_codes.campaign_id,'
                ~ ' events_with_codes.push_campaign_id)',
            'feature_id': 'events_with_codes.feature_id',
            'error_code': 'events_with_codes.error_code',
            'experiment_arm': 'events_with_codes.experiment_arm',
            'order_id': 'events_with_codes.order_id',
            'subscription_id': 'events_with_codes.subscription_id',
            'value_amount': at_rate(
                'events_with_codes.original_amount', 'currency_rates.rate'
            ),
            'original_amount': 'events_with_codes.original_amount',
            'currency': 'events_with_codes.currency',
            'load_number': 'events_with_codes.load_number',
            'occurred_at': 'events_with_codes.occurred_at',
            'known_at': 'events_with_codes.received_at',
        }) }}
    from events_with_codes
    left join currency_rates
        on
            events_with_codes.currency = currency_rates.currency
            and cast(events_with_codes.occurred_at as date) >= currency_rates.valid_from
            and cast(events_with_codes.occurred_at as date) < currency_rates.valid_to
)

select * from events_described
