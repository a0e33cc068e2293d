-- one row per contact with support: a ticket opened, a public comment, a ticket rated
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='touchpoint_id',
    on_schema_change='fail',
) }}

with

tickets as (
    select
        source,
        ticket_id,
        requester_record_key,
        agent_key,
        department_key,
        channel,
        load_number,
        refund_amount,
        original_amount,
        currency,
        handling_seconds,
        opened_at,
        known_at,
    from {{ ref('int_tickets') }}
    where {{ newly_loaded() }}
),

delivered_comments as (
    {{- stacked_ticket_comments() }}
),

comments as (
    select *
    from delivered_comments
    where
        is_public
        and {{ newly_loaded() }}
),

delivered_ratings as (
    {{- stacked_ticket_ratings() }}
),

ratings as (
    select ratings.*
    from delivered_ratings as ratings
    where {{ newly_versioned('ratings.rating_id', 'delivered_ratings') }}
),

-- A rating begins as an offer; it becomes a touchpoint with its first verdict, and keeps
-- that time when the customer changes the verdict later.
verdicts as (
    select
        ratings.*,
        min(ratings.rated_at) over (
            partition by ratings.source, ratings.rating_id
        ) as first_rated_at,
        min(ratings.received_at) over (
            partition by ratings.source, ratings.rating_id
        ) as first_received_at,
        max(ratings.load_number) over (
            partition by ratings.source, ratings.rating_id
        ) as last_load_number,
        row_number() over (
            partition by ratings.source, ratings.rating_id
            order by ratings.rated_at desc nulls last, ratings.row_hash desc nulls last
        ) as newest_first,
    from ratings
    where ratings.score in ('good', 'bad')
),

tickets_opened as (
    select
        {{ event_columns({
            'touchpoint_id': pseudonym("tickets.source || '/tickets/' || tickets.ticket_id"),
            'source': 'tickets.source',
            'touchpoint_type': "'ticket_opened'",
            'record_key': 'tickets.requester_record_key',
            'direction': "'inbound'",
            'trigger_kind': "'customer'",
            'channel': 'tickets.channel',
            'department_key': 'tickets.department_key',
            'agent_key': 'tickets.agent_key',
            'ticket_id': 'tickets.ticket_id',
            'load_number': 'tickets.load_number',
            'cost_amount': 'tickets.refund_amount',
            'original_amount': 'tickets.original_amount',
            'currency': 'tickets.currency',
            'handling_seconds': 'tickets.handling_seconds',
            'occurred_at': 'tickets.opened_at',
            'known_at': 'tickets.known_at',
        }) }}
    from tickets
),

-- Direction and trigger of a comment depend on whether its author is the customer: they are
-- filled where the owner is known.
comments_made as (
    select
        {{ event_columns({
            'touchpoint_id': pseudonym(
                "comments.source || '/' || comments.entity || '/' || comments.comment_id"
            ),
            'source': 'comments.source',
            'touchpoint_type': "'ticket_commented'",
            'record_key': "comments.source || '/' || comments.author_entity"
                ~ " || '/' || comments.author_id",
            'channel': "case comments.channel when 'voice' then 'phone'"
                ~ " else comments.channel end",
            'department_key': "'support'",
            'agent_key': "comments.source || '/' || comments.author_entity"
                ~ " || '/' || comments.author_id",
            'ticket_id': 'comments.ticket_id',
            'load_number': 'comments.load_number',
            'occurred_at': 'comments.created_at',
            'known_at': 'comments.received_at',
        }) }}
    from comments
),

tickets_rated as (
    select
        {{ event_columns({
            'touchpoint_id': pseudonym(
                "verdicts.source || '/' || verdicts.entity || '/' || verdicts.rating_id"
            ),
            'source': 'verdicts.source',
            'touchpoint_type': "'ticket_rated'",
            'record_key': "verdicts.source || '/' || verdicts.requester_entity"
                ~ " || '/' || verdicts.requester_id",
            'direction': "'inbound'",
            'trigger_kind': "'customer'",
            'channel': "'survey'",
            'department_key': "'support'",
            'ticket_id': 'verdicts.ticket_id',
            'rating_scale': "'csat'",
            'score': "case verdicts.score when 'good' then 1 else 0 end",
            'load_number': 'verdicts.last_load_number',
            'occurred_at': 'verdicts.first_rated_at',
            'known_at': 'verdicts.first_received_at',
        }) }}
    from verdicts
    where verdicts.newest_first = 1
),

contacts_stacked as (
    select * from tickets_opened
    union all
    select * from comments_made
    union all
    select * from tickets_rated
)

select * from contacts_stacked
