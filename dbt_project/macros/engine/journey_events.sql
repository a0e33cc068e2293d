{#-
    The columns that every model of events has, in one order and with one type each, so that
    they can be stacked. `given` maps a column to its expression; the others are null.
-#}
{% macro event_columns(given) -%}
    {%- set columns = [
        ('touchpoint_id', 'text'),
        ('source', 'text'),
        ('touchpoint_type', 'text'),
        ('record_key', 'text'),
        ('anonymous_id', 'text'),
        ('email', 'text'),
        ('direction', 'text'),
        ('trigger_kind', 'text'),
        ('region', 'text'),
        ('channel', 'text'),
        ('device_type', 'text'),
        ('app_version', 'text'),
        ('department_key', 'text'),
        ('agent_key', 'text'),
        ('campaign_id', 'text'),
        ('feature_id', 'text'),
        ('error_code', 'text'),
        ('experiment_arm', 'text'),
        ('ticket_id', 'text'),
        ('order_id', 'text'),
        ('subscription_id', 'text'),
        ('deal_id', 'text'),
        ('rating_scale', 'text'),
        ('score', 'integer'),
        ('load_number', 'integer'),
        ('value_amount', 'decimal(18, 2)'),
        ('cost_amount', 'decimal(18, 2)'),
        ('original_amount', 'decimal(18, 4)'),
        ('currency', 'text'),
        ('handling_seconds', 'bigint'),
        ('occurred_at', 'timestamp'),
        ('known_at', 'timestamp'),
    ] -%}
    {%- for name, kind in columns %}
    {%- set type = dbt.type_string() if kind == 'text' else kind %}
        cast({{ given.get(name, 'null') }} as {{ type }}) as {{ name }}
        {%- if not loop.last %},{% endif %}
    {%- endfor %}
{%- endmacro %}


{#- Keeps the rows that came with a load this model has not taken yet. -#}
{% macro newly_loaded(column='load_number') -%}
    {%- if is_incremental() -%}
        {{ column }} > (select coalesce(max(built.load_number), 0) from {{ this }} as built)
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}


{#-
    Keeps every version of the records of which this model has not taken one yet: what has
    versions is derived again from all of them, so that the order of arrival does not matter.
-#}
{% macro newly_versioned(key, relation) -%}
    {%- if is_incremental() -%}
        {{ key }} in (
            select changed.{{ key.split('.')[-1] }} from {{ relation }} as changed
            where changed.load_number > (
                select coalesce(max(built.load_number), 0) from {{ this }} as built
            )
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}


{#- A vendor's event name (`Feature Used`) as a touchpoint type (`feature_used`). -#}
{% macro touchpoint_name(column) -%}
    trim(both '_' from {{ regexp_replace_all('lower(' ~ column ~ ')', '[^a-z0-9]+', '_') }})
{%- endmacro %}


{#- When an app event happened, by the server's clock: the device's clock, corrected. -#}
{% macro clock_corrected(original_at, sent_at, received_at, event_at) -%}
    coalesce(
        {{ original_at }} + ({{ received_at }} - {{ sent_at }}),
        {{ event_at }},
        {{ original_at }},
        {{ received_at }}
    )
{%- endmacro %}
