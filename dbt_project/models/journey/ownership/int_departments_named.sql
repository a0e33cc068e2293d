-- one row per support group or CRM owner whose department is known
with

support_groups as (
    select group_id, name, updated_at, load_number, row_hash
    from {{ ref('stg_zendesk__groups') }}
    where name is not null
),

crm_owners as (
    select owner_id, department, updated_at, load_number, row_hash
    from {{ ref('stg_hubspot__owners') }}
    where department is not null
),

names_stacked as (
    select
        'zendesk/groups/' || support_groups.group_id as department_key,
        lower(support_groups.name) as department,
        support_groups.load_number,
        support_groups.updated_at,
        support_groups.row_hash,
    from support_groups
    union all
    select
        'hubspot/owners/' || crm_owners.owner_id as department_key,
        lower(crm_owners.department) as department,
        crm_owners.load_number,
        crm_owners.updated_at,
        crm_owners.row_hash,
    from crm_owners
),

names_ranked as (
    select
        names_stacked.*,
        row_number() over (
            partition by names_stacked.department_key
            order by names_stacked.updated_at nulls last, names_stacked.row_hash nulls last
        ) as version_number,
    from names_stacked
),

-- The first name stays: a renamed group does not rewrite the touchpoints of every customer.
departments_named as (
    select department_key, department, load_number
    from names_ranked
    where version_number = 1
)

select * from departments_named
