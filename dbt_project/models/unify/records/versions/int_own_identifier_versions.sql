-- one row per version of a record and identifier of an own type that it bears
with

identifiers_stacked as (
    {{- stacked_own_identifiers() }}
),

own_identifiers as (
    select * from identifiers_stacked
    where written_value is not null
)

select * from own_identifiers
