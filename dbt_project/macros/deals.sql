{#-
    How a deal in this stage of the pipeline has ended; null while it is open. These are the CRM's
    own stages: a company that names its closed stages otherwise lists them here.
-#}
{% macro deal_outcome(column) -%}
    case {{ column }} when 'closedwon' then 'won' when 'closedlost' then 'lost' end
{%- endmacro %}
