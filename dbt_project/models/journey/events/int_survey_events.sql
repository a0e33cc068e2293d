-- one row per answer to a survey
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

delivered_responses as (
    {{- stacked_survey_responses() }}
),

responses as (
    select * from delivered_responses
    where
        {{ newly_loaded() }}
        and coalesce(is_finished, true)
),

responses_described as (
    select
        {{ event_columns({
            'touchpoint_id': pseudonym(
                "responses.source || '/responses/' || responses.response_id"
            ),
            'source': 'responses.source',
            'touchpoint_type': "'survey_answered'",
            'record_key': "responses.source || '/respondents/' || responses.respondent_id",
            'email': 'case when responses.respondent_id is null then '
                ~ normalised_email('responses.email') ~ ' end',
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
