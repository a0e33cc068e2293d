{#-
    The rows of every staging model that feeds a vocabulary, with the vocabulary's columns in one
    order and with one type each. A column that a model does not have is its default, or null.
    `columns` holds (name, type) or (name, type, default).
-#}
{% macro stacked_feeds(kind, columns) -%}
    {%- for feed in feeds(kind) %}
    select
        cast('{{ feed.source }}' as {{ dbt.type_string() }}) as source,
        cast('{{ feed.entity }}' as {{ dbt.type_string() }}) as entity,
        {%- for column in columns %}
        {{ feed_column(feed.columns, column) }},
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


{#- One column of a vocabulary out of a model that may not have it. -#}
{% macro feed_column(present, column) -%}
    {%- set type = dbt.type_string() if column[1] == 'text' else column[1] -%}
    {%- set given = column[0] if column[0] in present
        else (column[2] if column | length > 2 else 'null') -%}
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
