-- one row per customer whose tables have to be computed again
{%- set journeys = adapter.get_relation(target.database, 'journey', 'fct_journeys') %}
{%- set journeys_are_built = execute and journeys is not none %}

with

build_marks as (
    select load_number, as_of from {{ ref('stg_pipeline__build_marks') }}
    where {{ 'false' if should_full_refresh() else 'true' }}
),

clock as (
    select as_of from {{ ref('stg_pipeline__clock') }}
),

record_customers as (
    select customer_id, record_key, load_number from {{ ref('int_record_customers') }}
),

customer_changes as (
    select customer_id, load_number from {{ ref('stg_identity__customer_changes') }}
),

owner_changes as (
    select owner_record_key, load_number from {{ ref('int_owner_changes') }}
),

record_accounts as (
    select record_key, load_number from {{ ref('int_record_accounts') }}
),

-- the marks of a first build: nothing has been taken yet
marks as (
    select
        coalesce(max(build_marks.load_number), 0) as load_number,
        max(build_marks.as_of) as as_of,
    from build_marks
),

-- as the last build left them: their deadlines may have passed since
open_journeys as (
    {%- if journeys_are_built %}
    select customer_id, next_deadline_at from {{ journeys }}
    where next_deadline_at is not null
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as customer_id,
        cast(null as timestamp) as next_deadline_at
    where false
    {%- endif %}
),

changes_stacked as (
    select customer_id, load_number from record_customers
    union all
    select customer_id, load_number from customer_changes
    union all
    select record_customers.customer_id, owner_changes.load_number
    from owner_changes
    inner join record_customers
        on owner_changes.owner_record_key = record_customers.record_key
    union all
    select record_customers.customer_id, record_accounts.load_number
    from record_accounts
    inner join record_customers on record_accounts.record_key = record_customers.record_key
),

customers_stacked as (
    select changes_stacked.customer_id
    from changes_stacked
    cross join marks
    where changes_stacked.load_number > marks.load_number
    union
    select open_journeys.customer_id
    from open_journeys
    cross join marks
    cross join clock
    where
        open_journeys.next_deadline_at <= clock.as_of
        and (marks.as_of is null or open_journeys.next_deadline_at > marks.as_of)
),

touched_customers as (
    select customer_id from customers_stacked
    where customer_id is not null
)

select * from touched_customers
