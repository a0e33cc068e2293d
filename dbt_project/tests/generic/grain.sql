{#-
    The model has one row per these columns, and none of them is null (but those in `nullable`).
    Fails with the keys that occur twice or are incomplete.
-#}
{% test grain(model, columns, nullable=[]) %}

select
    {% for column in columns -%}
    {{ column }},
    {% endfor -%}
    count(*) as row_count,
from {{ model }}
group by all
having
    count(*) > 1
    {% for column in columns if column not in nullable -%}
    or {{ column }} is null
    {% endfor %}

{% endtest %}
