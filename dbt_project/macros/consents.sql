{#- What customers agree to now that marketing reaches them by a channel. -#}
{% macro standing_consents(channel) %}
    select customer_id, state
    from {{ ref('fct_customer_consents') }}
    where
        purpose = 'marketing'
        and channel = '{{ channel }}'
        and valid_to is null
        and {{ touched_customers_filter('customer_id') }}
{%- endmacro %}
