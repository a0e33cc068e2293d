-- one row per content of the catalogue, and per content that a campaign names beside it
{%- set text = dbt.type_string() %}

with

content_versions as (
    select
        content_id,
        content_type,
        title,
        path,
        topic,
        stage,
        published_at,
        updated_at,
        row_hash,
    from {{ ref('stg_cms__contents') }}
),

campaign_contents as (
    select distinct content_id from {{ ref('int_campaign_contents') }}
),

versions_ranked as (
    select
        content_versions.*,
        row_number() over (
            partition by content_versions.content_id
            order by
                content_versions.updated_at desc nulls last,
                content_versions.row_hash desc nulls last
        ) as newest_first,
    from content_versions
),

catalogue as (
    select * from versions_ranked
    where newest_first = 1
),

-- A campaign may name what the catalogue does not have (yet): it stays, without a description.
content_ids as (
    select content_id from catalogue
    union
    select content_id from campaign_contents
),

contents as (
    select
        content_ids.content_id,
        cast(catalogue.content_type as {{ text }}) as content_type,
        cast(catalogue.title as {{ text }}) as title,
        cast(catalogue.path as {{ text }}) as path,
        cast(catalogue.topic as {{ text }}) as topic,
        cast(catalogue.stage as {{ text }}) as intended_stage,
        catalogue.content_id is not null as is_in_catalogue,
        catalogue.published_at,
        catalogue.updated_at,
    from content_ids
    left join catalogue on content_ids.content_id = catalogue.content_id
)

select * from contents
