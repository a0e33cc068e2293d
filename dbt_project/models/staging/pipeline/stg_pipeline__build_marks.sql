-- one row per warehouse, or none before the first complete build
with

build_marks as (
    select
        load_number,
        as_of,
    from {{ source('pipeline', 'build_marks') }}
)

select * from build_marks
