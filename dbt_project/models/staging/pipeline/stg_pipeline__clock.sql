-- one row per warehouse: the instant that the run looks from
with

clock as (
    select
        night as night_date,
        as_of,
    from {{ source('pipeline', 'clock') }}
)

select * from clock
