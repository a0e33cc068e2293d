{#- Milliseconds since 1970-01-01 of a UTC timestamp. -#}
{% macro epoch_milliseconds(column) -%}
    {{ return(adapter.dispatch('epoch_milliseconds')(column)) }}
{%- endmacro %}

{% macro default__epoch_milliseconds(column) -%}
    unix_millis({{ column }})
{%- endmacro %}

{% macro duckdb__epoch_milliseconds(column) -%}
    epoch_ms({{ column }})
{%- endmacro %}


{#- The UTC timestamp of milliseconds since 1970-01-01. -#}
{% macro timestamp_from_milliseconds(column) -%}
    {{ return(adapter.dispatch('timestamp_from_milliseconds')(column)) }}
{%- endmacro %}

{% macro default__timestamp_from_milliseconds(column) -%}
    timestamp_millis({{ column }})
{%- endmacro %}

{% macro duckdb__timestamp_from_milliseconds(column) -%}
    make_timestamp_ms({{ column }})
{%- endmacro %}


{#- Seconds from one timestamp to another, with milliseconds as the fraction. -#}
{% macro seconds_between(started_at, ended_at) -%}
    (
        ({{ epoch_milliseconds(ended_at) }} - {{ epoch_milliseconds(started_at) }}) / 1000.0
    )
{%- endmacro %}


{#- Whole days from one date to another. -#}
{% macro days_between(first_date, last_date) -%}
    {{ return(adapter.dispatch('days_between')(first_date, last_date)) }}
{%- endmacro %}

{% macro default__days_between(first_date, last_date) -%}
    datediff({{ last_date }}, {{ first_date }})
{%- endmacro %}

{% macro duckdb__days_between(first_date, last_date) -%}
    date_diff('day', {{ first_date }}, {{ last_date }})
{%- endmacro %}


{#- A timestamp moved by a number of days, hours, … (an SQL expression or a number). -#}
{% macro add_interval(column, count, unit='day') -%}
    ({{ column }} + ({{ count }}) * interval '1' {{ unit }})
{%- endmacro %}


{#- The day in the reporting zone that a UTC timestamp falls on. -#}
{% macro reporting_date(column) -%}
    {%- if var('reporting_time_zone') == 'UTC' -%}
        cast({{ column }} as date)
    {%- else -%}
        {{ return(adapter.dispatch('reporting_date')(column)) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__reporting_date(column) -%}
    cast(from_utc_timestamp({{ column }}, '{{ var("reporting_time_zone") }}') as date)
{%- endmacro %}

{% macro duckdb__reporting_date(column) -%}
    cast(timezone('{{ var("reporting_time_zone") }}', timezone('UTC', {{ column }})) as date)
{%- endmacro %}


{#- A select expression that gives one row per whole number from first to last, inclusive. -#}
{% macro numbers_to_rows(first, last) -%}
    {{ return(adapter.dispatch('numbers_to_rows')(first, last)) }}
{%- endmacro %}

{% macro default__numbers_to_rows(first, last) -%}
    explode(sequence({{ first }}, {{ last }}))
{%- endmacro %}

{% macro duckdb__numbers_to_rows(first, last) -%}
    unnest(generate_series({{ first }}, {{ last }}))
{%- endmacro %}


{#- A select expression that gives one row per month's first day between two dates, inclusive. -#}
{% macro months_to_rows(first_date, last_date) -%}
    {{ return(adapter.dispatch('months_to_rows')(first_date, last_date)) }}
{%- endmacro %}

{% macro default__months_to_rows(first_date, last_date) -%}
    explode(sequence({{ first_date }}, {{ last_date }}, interval '1' month))
{%- endmacro %}

{% macro duckdb__months_to_rows(first_date, last_date) -%}
    cast(
        unnest(
            generate_series(
                cast({{ first_date }} as timestamp),
                cast({{ last_date }} as timestamp),
                interval 1 month
            )
        ) as date
    )
{%- endmacro %}
