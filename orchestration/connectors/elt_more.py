"""How Fivetran's tables of Klaviyo and Qualtrics become the records that our contracts read."""

from __future__ import annotations

from orchestration.connectors.elt_zendesk import Mapped

_MEMBERS = """
select
    _fivetran_synced as synced,
    json_object(
        'id', id, 'email', email, 'phone_number', phone_number, 'first_name', first_name,
        'last_name', last_name, 'country', country,
        'status', if(is_true(_fivetran_deleted), 'archived', null),
        'created', utc(created),
        'updated', version_at(_fivetran_deleted, _fivetran_synced, coalesce(updated, created))
    ) as record
from person
"""

# The name of what happened stands in the event, or in the metric that it belongs to.
_EVENTS = """
select
    event._fivetran_synced as synced,
    json_object(
        'id', event.id, 'person_id', person_id, 'campaign_id', campaign_id, 'flow_id', flow_id,
        'type', coalesce(type, metric.name), 'property_url', property_url,
        'property_bounce_type', property_bounce_type,
        '_fivetran_deleted', is_true(event._fivetran_deleted),
        'datetime', utc(datetime)
    ) as record
from event left join metric on metric.id = event.metric_id
"""

# Only a question of the kind NPS has a scale that we know.
_RESPONSES = """
with scores as (
    select question_response.response_id, min(try_cast(question_response.value as integer)) as score
    from question_response
    join survey_response on survey_response.id = question_response.response_id
    join question
        on question.id = question_response.question_id
        and question.survey_id = survey_response.survey_id
    where question.selector = 'NPS'
    group by question_response.response_id
)
select
    _fivetran_synced as synced,
    json_object(
        'responseId', survey_response.id, 'surveyId', survey_id,
        'recipientEmail', recipient_email, 'scale', if(score is null, null, 'nps'),
        'score', score, 'finished', is_true(finished),
        'recordedDate', utc(coalesce(recorded_date, end_date))
    ) as record
from survey_response left join scores on scores.response_id = survey_response.id
"""

KLAVIYO = {
    "members": Mapped(
        {
            "person": (
                *("_fivetran_synced", "_fivetran_deleted", "id", "email", "phone_number"),
                *("first_name", "last_name", "country", "created", "updated"),
            )
        },
        _MEMBERS,
    ),
    "email_events": Mapped(
        {
            "event": (
                *("_fivetran_synced", "_fivetran_deleted", "id", "person_id", "campaign_id"),
                *("flow_id", "metric_id", "type", "property_url", "property_bounce_type"),
                "datetime",
            ),
            "metric": ("id", "name"),
        },
        _EVENTS,
        optional=("metric",),
    ),
}

QUALTRICS = {
    "responses": Mapped(
        {
            "survey_response": (
                *("_fivetran_synced", "id", "survey_id", "recipient_email", "finished"),
                *("recorded_date", "end_date"),
            ),
            "question_response": ("response_id", "question_id", "value"),
            "question": ("id", "survey_id", "selector"),
        },
        _RESPONSES,
        optional=("question_response", "question"),
    )
}
