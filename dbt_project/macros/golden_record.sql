{#- The value of the latest version that has one; `order_key` is unique among the rows. -#}
{% macro latest_known(column, order_key) -%}
    max_by({{ column }}, {{ order_key }}) filter (where {{ column }} is not null)
{%- endmacro %}


{#- Text that orders like a time and then a key, so that the latest is one row. -#}
{% macro time_order_key(column, key) -%}
    lpad(cast({{ epoch_milliseconds(column) }} as {{ dbt.type_string() }}), 15, '0')
    || '|' || {{ key }}
{%- endmacro %}


{#- Whose law holds for a person, by country; null where the country is not known. -#}
{% macro jurisdiction(country) -%}
    case
        when {{ country }} is null then null
        when {{ country }} in (
            'AT', 'BE', 'BG', 'CY', 'CZ', 'DE', 'DK', 'EE', 'ES', 'FI', 'FR', 'GR', 'HR', 'HU',
            'IE', 'IT', 'LT', 'LU', 'LV', 'MT', 'NL', 'PL', 'PT', 'RO', 'SE', 'SI', 'SK'
        ) then 'EU'
        when {{ country }} in ('GB', 'UK') then 'UK'
        when {{ country }} = 'US' then 'US'
        else 'other'
    end
{%- endmacro %}
