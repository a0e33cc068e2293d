{#-
    The rows of every staging model that feeds a vocabulary, with the vocabulary's columns in one
    order and with one type each. A column that a model does not have is its default, or null.
    `columns` holds (name, type) or (name, type, default).
-#}
{% macro stacked_feeds(kind, columns) -%}
    {%- for feed in feeds_in_use(kind) %}
    select
        cast('{{ feed.source }}' as {{ dbt.type_string() }}) as source,
        cast('{{ feed.entity }}' as {{ dbt.type_string() }}) as entity,
        {%- for column in columns %}
        {{ feed_column(feed.columns, column, feed.get('speaks', {})) }},
        {%- endfor %}
    from {{ ref(feed.model) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as source,
        cast(null as {{ dbt.type_string() }}) as entity,
        {%- for column in columns %}
        {{ feed_column([], (column[0], column[1])) }},
        {%- endfor %}
    where false
    {%- endfor %}
{%- endmacro %}


{#-
    The feeds of a vocabulary; in a unit test those that it gives rows of, so that it says the same
    whichever vendors are switched on.
-#}
{% macro feeds_in_use(kind) -%}
    {%- set found = feeds(kind) -%}
    {%- if execute and model.resource_type == 'unit_test' -%}
        {%- set given = model.depends_on.nodes | join(' ') -%}
        {%- set kept = [] -%}
        {%- for feed in found if feed.model in given -%}
            {%- do kept.append(feed) -%}
        {%- endfor -%}
        {%- set found = kept -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}


{#-
    One column of a vocabulary out of a model that may not have it, or not under that name or in
    those words: `spoken` holds what the contract says about it.
-#}
{% macro feed_column(present, column, spoken={}) -%}
    {%- set type = dbt.type_string() if column[1] == 'text' else column[1] -%}
    {%- set missing = column[2] if column | length > 2 else 'null' -%}
    {%- set given = spoken.get(column[0], column[0] if column[0] in present else missing) -%}
    cast({{ given }} as {{ type }}) as {{ column[0] }}
{%- endmacro %}


{#-
    Calls of tracking libraries and click streams. A stream without `type` holds actions alone,
    and every user they name is a user of the source. One without message ids is told apart by
    the rows' content.
-#}
{% macro stacked_app_events() -%}
    {{ stacked_feeds('app_events', [
        ('message_id', 'text', 'row_hash'),
        ('type', 'text', "'action'"),
        ('event', 'text'),
        ('name', 'text'),
        ('anonymous_id', 'text'),
        ('user_id', 'text'),
        ('email', 'text'),
        ('channel', 'text'),
        ('device_type', 'text'),
        ('app_version', 'text'),
        ('campaign_id', 'text'),
        ('locale', 'text'),
        ('properties', 'text'),
        ('traits', 'text'),
        ('consent_analytics', 'boolean'),
        ('original_at', 'timestamp'),
        ('sent_at', 'timestamp'),
        ('segment_received_at', 'timestamp'),
        ('event_at', 'timestamp'),
        ('received_at', 'timestamp'),
        ('load_number', 'integer'),
        ('row_hash', 'text'),
    ]) }}
{%- endmacro %}


{#-
    Your own types of identifiers (`identity.yml`), out of the staging models of the tables that
    hold them: a row per version of a record that bears one.
-#}
{% macro stacked_own_identifiers() -%}
    {%- for held in own_identifiers() %}
    select
        '{{ held.source }}/{{ held.entity }}/' || {{ held.record_id }} as record_key,
        cast('{{ held.identifier_type }}' as {{ dbt.type_string() }}) as identifier_type,
        cast({{ held.column }} as {{ dbt.type_string() }}) as written_value,
        load_number,
        cast({{ held.version_at }} as timestamp) as version_at,
        received_at,
    from {{ ref(held.model) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as record_key,
        cast(null as {{ dbt.type_string() }}) as identifier_type,
        cast(null as {{ dbt.type_string() }}) as written_value,
        cast(null as integer) as load_number,
        cast(null as timestamp) as version_at,
        cast(null as timestamp) as received_at,
    where false
    {%- endfor %}
{%- endmacro %}


{#-
    What happened to mails. `member_id` is a record that the source itself names; where it names
    an address alone, the record that bears it is looked for. `event_id` is null where the rest
    tells events apart.
-#}
{% macro stacked_email_activities() -%}
    {{ stacked_feeds('email_activities', [
        ('event_id', 'text'),
        ('member_id', 'text'),
        ('email', 'text'),
        ('campaign_id', 'text'),
        ('action', 'text'),
        ('status', 'text'),
        ('subscription_status', 'text'),
        ('url', 'text'),
        ('is_filtered', 'boolean', 'false'),
        ('occurred_at', 'timestamp'),
        ('received_at', 'timestamp'),
        ('load_number', 'integer'),
        ('row_hash', 'text'),
    ]) }}
{%- endmacro %}


{#-
    Versions of people in a CRM. `master_contact_id` is the record that the vendor merged this one
    into; `converted_contact_id` the contact that a lead became. `street` may hold the house number.
-#}
{% macro stacked_crm_contacts() -%}
    {{ stacked_feeds('crm_contacts', [
        ('contact_id', 'text'),
        ('company_id', 'text'),
        ('app_user_id', 'text'),
        ('email', 'text'),
        ('additional_emails', 'text'),
        ('phone', 'text'),
        ('mobile_phone', 'text'),
        ('merged_contact_ids', 'text'),
        ('converted_contact_id', 'text'),
        ('first_name', 'text'),
        ('last_name', 'text'),
        ('company_name', 'text'),
        ('job_title', 'text'),
        ('role', 'text'),
        ('industry', 'text'),
        ('country', 'text'),
        ('city', 'text'),
        ('postal_code', 'text'),
        ('street', 'text'),
        ('house_number', 'text'),
        ('lifecycle_stage', 'text'),
        ('load_number', 'integer'),
        ('row_hash', 'text'),
        ('is_archived', 'boolean', 'false'),
        ('birth_date', 'date'),
        ('created_at', 'timestamp'),
        ('updated_at', 'timestamp'),
        ('received_at', 'timestamp'),
    ]) }}
{%- endmacro %}


{#- Versions of companies in a CRM. -#}
{% macro stacked_crm_companies() -%}
    {{ stacked_feeds('crm_companies', [
        ('company_id', 'text'),
        ('merged_company_ids', 'text'),
        ('name', 'text'),
        ('domain', 'text'),
        ('industry', 'text'),
        ('country', 'text'),
        ('employee_count', 'bigint'),
        ('load_number', 'integer'),
        ('row_hash', 'text'),
        ('is_archived', 'boolean', 'false'),
        ('created_at', 'timestamp'),
        ('updated_at', 'timestamp'),
        ('received_at', 'timestamp'),
    ]) }}
{%- endmacro %}


{#- The id of a CRM's record, with its source where that is not the first CRM that there was. -#}
{% macro crm_key(source, id) -%}
    case {{ source }} when 'hubspot' then {{ id }} else {{ source }} || '/' || {{ id }} end
{%- endmacro %}


{#-
    Versions of deals in a CRM. `stage_history` is null where the vendor tells of no history: the
    versions are all that is known of it then.
-#}
{% macro stacked_crm_deals() -%}
    {{ stacked_feeds('crm_deals', [
        ('deal_id', 'text'),
        ('contact_id', 'text'),
        ('contact_entity', 'text', "'contacts'"),
        ('company_id', 'text'),
        ('owner_id', 'text'),
        ('deal_stage', 'text'),
        ('pipeline', 'text'),
        ('currency', 'text'),
        ('lost_reason', 'text'),
        ('competitor', 'text'),
        ('stage_history', 'text'),
        ('amount', 'decimal(18, 4)'),
        ('load_number', 'integer'),
        ('row_hash', 'text'),
        ('is_archived', 'boolean', 'false'),
        ('created_at', 'timestamp'),
        ('updated_at', 'timestamp'),
        ('received_at', 'timestamp'),
    ]) }}
{%- endmacro %}


{#- Versions of people in a support system, its staff among them. -#}
{% macro stacked_support_users() -%}
    {{ stacked_feeds('support_users', [
        ('user_id', 'text'),
        ('external_id', 'text'),
        ('email', 'text'),
        ('name', 'text'),
        ('phone', 'text'),
        ('role', 'text'),
        ('locale', 'text'),
        ('load_number', 'integer'),
        ('row_hash', 'text'),
        ('is_active', 'boolean', 'true'),
        ('created_at', 'timestamp'),
        ('updated_at', 'timestamp'),
        ('received_at', 'timestamp'),
    ]) }}
{%- endmacro %}


{#-
    Versions of requests for help. `requester_entity` is the table of the source that requesters
    are records of; `department` stands where the source knows no groups.
-#}
{% macro stacked_support_tickets() -%}
    {{ stacked_feeds('support_tickets', [
        ('ticket_id', 'text'),
        ('requester_id', 'text'),
        ('requester_entity', 'text', "'users'"),
        ('assignee_id', 'text'),
        ('group_id', 'text'),
        ('department', 'text'),
        ('status', 'text'),
        ('channel', 'text'),
        ('handling_minutes', 'bigint'),
        ('refund_amount', 'decimal(18, 4)'),
        ('refund_currency', 'text'),
        ('cancel_reason', 'text'),
        ('is_deleted', 'boolean', 'false'),
        ('created_at', 'timestamp'),
        ('updated_at', 'timestamp'),
        ('received_at', 'timestamp'),
        ('load_number', 'integer'),
        ('row_hash', 'text'),
    ]) }}
{%- endmacro %}


{#-
    What was written, or otherwise done, on requests for help. What the customer cannot see is a
    step of the company; one that does not say so is taken for such a step.
-#}
{% macro stacked_ticket_comments() -%}
    {{ stacked_feeds('ticket_comments', [
        ('comment_id', 'text'),
        ('ticket_id', 'text'),
        ('author_id', 'text'),
        ('author_entity', 'text', "'users'"),
        ('channel', 'text'),
        ('step_type', 'text', "'internal_comment'"),
        ('is_public', 'boolean'),
        ('created_at', 'timestamp'),
        ('received_at', 'timestamp'),
        ('load_number', 'integer'),
    ]) }}
{%- endmacro %}


{#- Versions of the ratings that requesters gave to tickets; `score` is good, bad or neither. -#}
{% macro stacked_ticket_ratings() -%}
    {{ stacked_feeds('ticket_ratings', [
        ('rating_id', 'text'),
        ('ticket_id', 'text'),
        ('requester_id', 'text'),
        ('requester_entity', 'text', "'users'"),
        ('score', 'text'),
        ('rated_at', 'timestamp'),
        ('received_at', 'timestamp'),
        ('load_number', 'integer'),
        ('row_hash', 'text'),
    ]) }}
{%- endmacro %}


{#- Answers to surveys; one that names an address alone belongs to whoever bears it. -#}
{% macro stacked_survey_responses() -%}
    {{ stacked_feeds('survey_responses', [
        ('response_id', 'text'),
        ('respondent_id', 'text'),
        ('email', 'text'),
        ('survey', 'text'),
        ('ticket_id', 'text'),
        ('score', 'integer'),
        ('is_finished', 'boolean', 'true'),
        ('responded_at', 'timestamp'),
        ('received_at', 'timestamp'),
        ('load_number', 'integer'),
    ]) }}
{%- endmacro %}


{#- Versions of members of e-mail audiences. -#}
{% macro stacked_email_members() -%}
    {{ stacked_feeds('email_members', [
        ('member_id', 'text'),
        ('email', 'text'),
        ('status', 'text'),
        ('first_name', 'text'),
        ('last_name', 'text'),
        ('phone', 'text'),
        ('country', 'text'),
        ('language', 'text'),
        ('load_number', 'integer'),
        ('row_hash', 'text'),
        ('created_at', 'timestamp'),
        ('last_changed_at', 'timestamp'),
        ('received_at', 'timestamp'),
    ]) }}
{%- endmacro %}
