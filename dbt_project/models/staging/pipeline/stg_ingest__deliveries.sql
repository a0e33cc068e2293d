-- one row per delivery
with

deliveries as (
    select
        delivery_id,
        source,
        entity,
        status,
        load_number,
        received_at,
    from {{ source('ingest', 'deliveries') }}
)

select * from deliveries
