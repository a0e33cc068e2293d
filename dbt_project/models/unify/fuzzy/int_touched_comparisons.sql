-- one row per record whose pairs in blocks have to be compared anew
with

phase_marks as (
    select load_number from {{ ref('stg_pipeline__phase_marks') }}
    where phase = 'matched'
),

touched_records as (
    select record_key from {{ ref('int_touched_records') }}
),

record_blocks as (
    select block_value, record_key, block_cap, came_load_number, moved_load_number
    from {{ ref('int_record_blocks') }}
),

match_blocks as (
    select block_value, record_key, record_count, arrival_rank from {{ ref('int_match_blocks') }}
),

marks as (
    select coalesce(max(phase_marks.load_number), 0) as load_number from phase_marks
),

-- the instant at which a block is full moves with a record that comes to be among its first too
-- many, or whose own instant moves
blocks_moved as (
    select distinct match_blocks.block_value
    from match_blocks
    inner join record_blocks
        on
            match_blocks.block_value = record_blocks.block_value
            and match_blocks.record_key = record_blocks.record_key
    cross join marks
    where
        match_blocks.record_count > record_blocks.block_cap
        and (
            record_blocks.moved_load_number > marks.load_number
            or (
                record_blocks.came_load_number > marks.load_number
                and match_blocks.arrival_rank <= record_blocks.block_cap + 1
            )
        )
),

touched_comparisons as (
    select record_key from touched_records
    union
    select match_blocks.record_key
    from match_blocks
    inner join blocks_moved on match_blocks.block_value = blocks_moved.block_value
)

select * from touched_comparisons
