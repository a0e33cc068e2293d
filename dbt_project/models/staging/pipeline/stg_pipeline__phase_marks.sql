-- one row per phase before the marts that was ever completed
with

phase_marks as (
    select
        phase,
        load_number,
    from {{ source('pipeline', 'phase_marks') }}
)

select * from phase_marks
