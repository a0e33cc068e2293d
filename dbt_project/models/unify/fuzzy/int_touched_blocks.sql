-- one row per block that holds a touched record
with

touched_records as (
    select record_key from {{ ref('int_touched_records') }}
),

record_blocks as (
    select block_value, record_key from {{ ref('int_record_blocks') }}
),

touched_blocks as (
    select distinct record_blocks.block_value
    from record_blocks
    inner join touched_records on record_blocks.record_key = touched_records.record_key
)

select * from touched_blocks
