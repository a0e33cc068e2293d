{#-
    Money in the reporting currency. A product of two decimals of 18 digits overflows from a
    million on, so the amount is widened first.
-#}
{% macro at_rate(amount, rate) -%}
    cast({{ amount }} as decimal(20, 4)) * {{ rate }}
{%- endmacro %}
