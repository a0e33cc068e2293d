{#-
    The columns that every model of record versions has, in one order and with one type each,
    so that they can be stacked. `given` maps a column to its expression; the others are null.
-#}
{% macro record_version_columns(given) -%}
    {%- set columns = [
        ('record_key', 'text'),
        ('source', 'text'),
        ('entity', 'text'),
        ('record_id', 'text'),
        ('user_id', 'text'),
        ('company_id', 'text'),
        ('email', 'text'),
        ('additional_emails', 'text'),
        ('phone', 'text'),
        ('mobile_phone', 'text'),
        ('merged_record_ids', 'text'),
        ('first_name', 'text'),
        ('last_name', 'text'),
        ('company_name', 'text'),
        ('job_title', 'text'),
        ('job_role', 'text'),
        ('industry', 'text'),
        ('country', 'text'),
        ('city', 'text'),
        ('postal_code', 'text'),
        ('street', 'text'),
        ('house_number', 'text'),
        ('language', 'text'),
        ('lifecycle_stage', 'text'),
        ('plan', 'text'),
        ('subscription_status', 'text'),
        ('load_number', 'integer'),
        ('is_staff_role', 'boolean'),
        ('is_archived', 'boolean'),
        ('birth_date', 'date'),
        ('registered_at', 'timestamp'),
        ('created_at', 'timestamp'),
        ('version_at', 'timestamp'),
        ('received_at', 'timestamp'),
        ('version_hash', 'text'),
    ] -%}
    {%- for name, kind in columns %}
    {%- set type = dbt.type_string() if kind == 'text' else kind %}
        cast({{ given.get(name, 'null') }} as {{ type }}) as {{ name }},
    {%- endfor %}
{%- endmacro %}


{#-
    Identifiers as they are compared (orchestration/unify/normalising.py). `int_identifier_forms`
    holds the form of every written value, so that a night normalises what it has not met before.
-#}
{% macro normalised_email(column) -%}
    {{ normalised_identifier("'email'", column) }}
{%- endmacro %}


{#- A web address or domain as it is compared: lower case, no scheme, no www, no path. -#}
{% macro web_domain(column) -%}
    nullif(
        {{ regexp_replace_all(
            regexp_replace_all('lower(trim(' ~ column ~ '))', '^(https?://)?(www[.])?', ''),
            '[/?#:].*$', ''
        ) }},
        ''
    )
{%- endmacro %}


{% macro normalised_phone(column) -%}
    {{ normalised_identifier("'phone'", column) }}
{%- endmacro %}


{% macro normalised_identifier(normaliser, column) -%}
    nullif(
        {{ normal_form(
            normaliser,
            column,
            '(select settings.normaliser_settings from '
            ~ ref('stg_config__identity_settings') ~ ' as settings)'
        ) }},
        ''
    )
{%- endmacro %}


{#- A name as it is compared: no case, accents, blanks or punctuation; null where nothing is left. -#}
{% macro normalised_name(column) -%}
    nullif({{ regexp_replace_all(folded_text(column), '[^a-z]', '') }}, '')
{%- endmacro %}


{#- A street as it is compared: no case, accents, blanks, punctuation or house number. -#}
{% macro normalised_street(column) -%}
    nullif(
        {{ regexp_replace_all(
            regexp_replace_all(folded_text(column), '[0-9]+[a-z]?([^a-z0-9]|$)', ' '),
            '[^a-z0-9]', ''
        ) }},
        ''
    )
{%- endmacro %}


{#-
    A house number as it is compared: the first number with its letter, of a column of its own or
    of the street; null where there is none.
-#}
{% macro normalised_house_number(column, street) -%}
    nullif(
        regexp_extract(
            lower(coalesce({{ column }}, {{ street }})), '([0-9]+[a-z]?)([^a-z0-9]|$)', 1
        ),
        ''
    )
{%- endmacro %}


{#- How many of some conditions hold. -#}
{% macro count_true(conditions) -%}
    (
        {%- for condition in conditions %}
            {% if not loop.first %}+ {% endif %}case when {{ condition }} then 1 else 0 end
        {%- endfor %}
        )
{%- endmacro %}


{#-
    True where two first names look like one person's: equal, an initial of the other, one the
    beginning of the other, or a slip of the keyboard. Forms of one name (Bob, Robert) stand in identity.yml instead.
-#}
{% macro first_names_match(left, right) -%}
    {%- set shorter = 'least(length(' ~ left ~ '), length(' ~ right ~ '))' -%}
    (
        {{ left }} = {{ right }}
        or (
            {{ shorter }} = 1
            and substr({{ left }}, 1, 1) = substr({{ right }}, 1, 1)
        )
        or (
            {{ shorter }} >= 3
            and (
                {{ left }} like {{ right }} || '%'
                or {{ right }} like {{ left }} || '%'
                or levenshtein({{ left }}, {{ right }})
                <= case when {{ shorter }} >= 6 then 2 else 1 end
            )
        )
    )
{%- endmacro %}


{#- True where two last names look like one person's: equal or a slip of the keyboard. -#}
{% macro last_names_match(left, right) -%}
    (
        {{ left }} = {{ right }}
        or (
            least(length({{ left }}), length({{ right }})) >= 5
            and levenshtein({{ left }}, {{ right }}) <= 2
        )
    )
{%- endmacro %}


{#- The country whose dialling code a normalised phone number has; null for the less common. -#}
{% macro country_of_phone(column) -%}
    case
        {%- for prefix, country in [
            ('+1', 'US'), ('+31', 'NL'), ('+32', 'BE'), ('+33', 'FR'), ('+34', 'ES'),
            ('+351', 'PT'), ('+353', 'IE'), ('+358', 'FI'), ('+39', 'IT'), ('+41', 'CH'),
            ('+43', 'AT'), ('+44', 'GB'), ('+45', 'DK'), ('+46', 'SE'), ('+47', 'NO'),
            ('+48', 'PL'), ('+49', 'DE'), ('+61', 'AU'), ('+64', 'NZ'), ('+81', 'JP'),
            ('+91', 'IN'),
        ] %}
        when {{ column }} like '{{ prefix }}%' then '{{ country }}'
        {%- endfor %}
    end
{%- endmacro %}
