-- one row per block of records that may be one person's, and record
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[{'model': 'int_touched_blocks', 'keys': ['block_value']}],
) }}
with

record_blocks as (
    select block_value, record_key, block_cap, known_at
    from {{ ref('int_record_blocks') }} as blocks
    where {{ touched_filter('blocks', 'int_touched_blocks', ['block_value']) }}
),

blocks_ranked as (
    select
        record_blocks.*,
        count(*) over (partition by record_blocks.block_value) as record_count,
        row_number() over (
            partition by record_blocks.block_value
            order by
                record_blocks.known_at nulls last,
                record_blocks.record_key nulls last
        ) as arrival_rank,
    from record_blocks
),

-- a block above the cap compares nobody, from the arrival of the first record too many on
match_blocks as (
    select
        blocks_ranked.block_value,
        blocks_ranked.record_key,
        blocks_ranked.record_count,
        blocks_ranked.arrival_rank,
        blocks_ranked.known_at,
        min(
            case
                when blocks_ranked.arrival_rank > blocks_ranked.block_cap
                    then blocks_ranked.known_at
            end
        ) over (partition by blocks_ranked.block_value) as capped_at,
        blocks_ranked.arrival_rank > blocks_ranked.block_cap as is_above_cap,
    from blocks_ranked
)

select * from match_blocks
