{#- Written by `journeyline contracts sync` from identity.yml; do not edit.
    The columns that hold identifiers of your own types. -#}
{% macro own_identifiers() -%}
    {{ return([
    ]) }}
{%- endmacro %}
