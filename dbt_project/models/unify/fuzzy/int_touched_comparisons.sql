-- one row per record whose pairs in blocks have to be compared anew
with

touched_records as (
    select record_key from {{ ref('int_touched_records') }}
),

match_blocks as (
    select block_value, record_key, record_count, arrival_rank from {{ ref('int_match_blocks') }}
),

identity_settings as (
    select block_cap from {{ ref('stg_config__identity_settings') }}
),

-- only whoever is among the first too many moves the instant at which the block is full
blocks_moved as (
    select distinct match_blocks.block_value
    from match_blocks
    inner join touched_records on match_blocks.record_key = touched_records.record_key
    cross join identity_settings
    where
        match_blocks.record_count > identity_settings.block_cap
        and match_blocks.arrival_rank <= identity_settings.block_cap + 1
),

touched_comparisons as (
    select record_key from touched_records
    union
    select match_blocks.record_key
    from match_blocks
    inner join blocks_moved on match_blocks.block_value = blocks_moved.block_value
)

select * from touched_comparisons
