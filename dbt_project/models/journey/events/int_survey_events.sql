-- one row per answer to a survey
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

responses as (
    select
        response_id,
        respondent_id,
        survey,
        ticket_id,
        score,
        responded_at,
        received_at,
        load_number,
    from {{ ref('stg_surveys__responses') }}
    where {{ newly_loaded() }}
),

responses_described as (
    select
        {{ event_columns({
            'touchpoint_id': pseudonym("'surveys/responses/' || responses.response_id"),
            'source': "'surveys'",
            'touchpoint_type': "'survey_answered'",
            'record_key': "'surveys/respondents/' || responses.respondent_id",
            'direction': "'inbound'",
            'trigger_kind': "'customer'",
            'channel': "'survey'",
            'ticket_id': 'responses.ticket_id',
            'rating_scale': 'lower(responses.survey)',
            'score': 'responses.score',
            'load_number': 'responses.load_number',
            'occurred_at': 'responses.responded_at',
            'known_at': 'responses.received_at',
        }) }}
    from responses
)

select * from responses_described
