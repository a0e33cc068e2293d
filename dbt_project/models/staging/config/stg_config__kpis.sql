-- one row per KPI
with

kpis as (
    select
        kpi,
        unit,
        direction,
        aggregate,
        owner,
        formula,
        description,
        scale,
        target,
        minimum,
        maximum,
        counted_from as counted_from_date,
    from {{ source('config', 'kpis') }}
)

select * from kpis
