{#-
    Derived from orchestration/unify/comparisons.py by `journeyline identity macros`; not edited by hand.
-#}
{% macro fuzzy_comparisons() -%}
    {{ return(['first_name', 'last_name', 'email', 'phone', 'place', 'street', 'birth_date', 'company', 'registered', 'entity']) }}
{%- endmacro %}


{#- Comparisons whose best level weighs rare values more, with that level's number. -#}
{% macro fuzzy_terms() -%}
    {{ return({'first_name': 6, 'last_name': 3}) }}
{%- endmacro %}


{#- The number of each outcome that a model names. -#}
{% macro fuzzy_numbers() -%}
    {{ return({'first and last name swapped': 5, 'other first name': 0, 'same e-mail address': 4}) }}
{%- endmacro %}


{#- The outcome of one comparison of two states. -#}
{% macro fuzzy_level(comparison, left, right) -%}
    {%- if comparison == 'first_name' %}
    case
        when {{ left }}.first_name is null or {{ right }}.first_name is null then -1
        when {{ left }}.first_name = {{ right }}.first_name then 6
        when (({{ left }}.first_name = {{ right }}.last_name and levenshtein({{ left }}.last_name, {{ right }}.first_name) <= 2) or ({{ left }}.last_name = {{ right }}.first_name and levenshtein({{ left }}.first_name, {{ right }}.last_name) <= 2)) then 5
        when ({{ left }}.name_group in ({{ right }}.name_group, {{ right }}.other_name_group) or {{ left }}.other_name_group in ({{ right }}.name_group, {{ right }}.other_name_group)) then 4
        when ({{ left }}.first_name like {{ right }}.first_name || '%' or {{ right }}.first_name like {{ left }}.first_name || '%') then 3
        when (least(length({{ left }}.first_name), length({{ right }}.first_name)) >= 3 and levenshtein({{ left }}.first_name, {{ right }}.first_name) <= 1) then 2
        when (least(length({{ left }}.first_name), length({{ right }}.first_name)) >= 4 and levenshtein({{ left }}.first_name, {{ right }}.first_name) <= 2) then 1
        else 0
    end
    {%- elif comparison == 'last_name' %}
    case
        when {{ left }}.last_name is null or {{ right }}.last_name is null or coalesce((({{ left }}.first_name = {{ right }}.last_name and levenshtein({{ left }}.last_name, {{ right }}.first_name) <= 2) or ({{ left }}.last_name = {{ right }}.first_name and levenshtein({{ left }}.first_name, {{ right }}.last_name) <= 2)), false) then -1
        when {{ left }}.last_name = {{ right }}.last_name then 3
        when (least(length({{ left }}.last_name), length({{ right }}.last_name)) >= 4 and levenshtein({{ left }}.last_name, {{ right }}.last_name) <= 1) then 2
        when (least(length({{ left }}.last_name), length({{ right }}.last_name)) >= 5 and levenshtein({{ left }}.last_name, {{ right }}.last_name) <= 2) then 1
        else 0
    end
    {%- elif comparison == 'email' %}
    case
        when {{ left }}.email_local is null or {{ right }}.email_local is null or {{ left }}.email_domain is null or {{ right }}.email_domain is null then -1
        when ({{ left }}.email_local = {{ right }}.email_local and {{ left }}.email_domain = {{ right }}.email_domain) then 4
        when ({{ left }}.email_letters = {{ right }}.email_letters and {{ left }}.email_domain = {{ right }}.email_domain) then 3
        when ({{ left }}.email_domain = {{ right }}.email_domain and levenshtein({{ left }}.email_local, {{ right }}.email_local) <= 2) then 2
        when {{ left }}.email_letters = {{ right }}.email_letters then 1
        else 0
    end
    {%- elif comparison == 'phone' %}
    case
        when {{ left }}.phone is null or {{ right }}.phone is null then -1
        when {{ left }}.phone = {{ right }}.phone then 1
        else 0
    end
    {%- elif comparison == 'place' %}
    case
        when ({{ left }}.country is null or {{ right }}.country is null) and ({{ left }}.postal_code is null or {{ right }}.postal_code is null) and ({{ left }}.city is null or {{ right }}.city is null) then -1
        when ({{ left }}.postal_code = {{ right }}.postal_code and {{ left }}.city = {{ right }}.city) then 6
        when {{ left }}.postal_code = {{ right }}.postal_code then 5
        when {{ left }}.city = {{ right }}.city then 4
        when {{ left }}.country <> {{ right }}.country then 3
        when ((least(length({{ left }}.postal_code), length({{ right }}.postal_code)) >= 4 and levenshtein({{ left }}.postal_code, {{ right }}.postal_code) <= 1) or (least(length({{ left }}.city), length({{ right }}.city)) >= 5 and levenshtein({{ left }}.city, {{ right }}.city) <= 2)) then 2
        when (({{ left }}.postal_code is not null and {{ right }}.postal_code is not null) or ({{ left }}.city is not null and {{ right }}.city is not null)) then 1
        else 0
    end
    {%- elif comparison == 'street' %}
    case
        when {{ left }}.street is null or {{ right }}.street is null then -1
        when ({{ left }}.street = {{ right }}.street and {{ left }}.house_number = {{ right }}.house_number) then 4
        when ((least(length({{ left }}.street), length({{ right }}.street)) >= 5 and levenshtein({{ left }}.street, {{ right }}.street) <= 3) and {{ left }}.house_number = {{ right }}.house_number) then 3
        when {{ left }}.street = {{ right }}.street then 2
        when (least(length({{ left }}.street), length({{ right }}.street)) >= 5 and levenshtein({{ left }}.street, {{ right }}.street) <= 3) then 1
        else 0
    end
    {%- elif comparison == 'birth_date' %}
    case
        when {{ left }}.birth_date is null or {{ right }}.birth_date is null then -1
        when {{ left }}.birth_date = {{ right }}.birth_date then 3
        when levenshtein({{ left }}.birth_date, {{ right }}.birth_date) <= 1 then 2
        when levenshtein({{ left }}.birth_date, {{ right }}.birth_date) <= 2 then 1
        else 0
    end
    {%- elif comparison == 'company' %}
    case
        when {{ left }}.company_name is null or {{ right }}.company_name is null then -1
        when {{ left }}.company_name = {{ right }}.company_name then 1
        else 0
    end
    {%- elif comparison == 'registered' %}
    case
        when {{ left }}.registered_day is null or {{ right }}.registered_day is null then -1
        when {{ left }}.registered_day - {{ right }}.registered_day between -3 and 3 then 3
        when {{ left }}.registered_day - {{ right }}.registered_day between -30 and 30 then 2
        when {{ left }}.registered_day - {{ right }}.registered_day between -90 and 90 then 1
        else 0
    end
    {%- elif comparison == 'entity' %}
    case
        when {{ left }}.source_entity <> {{ right }}.source_entity then 1
        else 0
    end
    {%- endif %}
{%- endmacro %}
