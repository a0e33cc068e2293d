{#- The model is empty; it lists what should not be. -#}
{% test has_no_rows(model) %}

select * from {{ model }}

{% endtest %}
