-- one row per customer and source that knows people
-- rebuilt in full: a new source adds a row to every customer, touched or not
with

record_customers as (
    select customer_id, source, version_at from {{ ref('int_record_customers') }}
),

clock as (
    select as_of from {{ ref('stg_pipeline__clock') }}
),

customers as (
    select distinct customer_id from record_customers
),

sources as (
    select distinct source from record_customers
),

records_by_source as (
    select
        record_customers.customer_id,
        record_customers.source,
        max(record_customers.version_at) as last_seen_at,
    from record_customers
    group by record_customers.customer_id, record_customers.source
),

customer_coverage as (
    select
        customers.customer_id,
        sources.source,
        cast(
            floor(
                {{ seconds_between('records_by_source.last_seen_at', 'clock.as_of') }} / 86400
            )
            as integer
        ) as stale_days,
        records_by_source.customer_id is not null as has_record,
        records_by_source.last_seen_at,
    from customers
    cross join sources
    cross join clock
    left join records_by_source
        on
            customers.customer_id = records_by_source.customer_id
            and sources.source = records_by_source.source
)

select * from customer_coverage
