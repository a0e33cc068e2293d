-- one row per audience that is defined, whether or not it has members
{%- set text = dbt.type_string() %}

with

audience_definitions as (
    select audience, channel, owner, description, rule from {{ ref('stg_config__audiences') }}
),

audiences as (
    select
        cast(audience_definitions.audience as {{ text }}) as audience,
        cast(audience_definitions.channel as {{ text }}) as channel,
        cast(audience_definitions.owner as {{ text }}) as owner,
        cast(audience_definitions.description as {{ text }}) as description,
        cast(audience_definitions.rule as {{ text }}) as rule,
    from audience_definitions
)

select * from audiences
