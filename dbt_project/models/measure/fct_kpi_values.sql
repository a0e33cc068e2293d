-- one row per KPI, period and slice
{%- set text = dbt.type_string() %}

with

units as (
    select kpi, country, plan, points, measured_seconds, period_start
    from {{ ref('int_kpi_measures') }}
),

kpis as (
    select kpi, unit, aggregate, scale, target, counted_from_date
    from {{ ref('stg_config__kpis') }}
),

units_sliced as (
    select
        units.kpi,
        units.points,
        units.measured_seconds,
        units.period_start,
        'all' as slice_type,
        'all' as slice_value,
    from units
    union all
    select
        units.kpi,
        units.points,
        units.measured_seconds,
        units.period_start,
        'country' as slice_type,
        units.country as slice_value,
    from units
    union all
    select
        units.kpi,
        units.points,
        units.measured_seconds,
        units.period_start,
        'plan' as slice_type,
        units.plan as slice_value,
    from units
),

-- Sums of whole numbers: a share is one division at the end, the same however it was summed.
slices_summed as (
    select
        units_sliced.kpi,
        units_sliced.period_start,
        units_sliced.slice_type,
        units_sliced.slice_value,
        cast(sum(units_sliced.points) as double) as point_sum,
        cast(count(*) as double) as unit_count,
        cast(median(units_sliced.measured_seconds) as double) as median_seconds,
    from units_sliced
    group by
        units_sliced.kpi,
        units_sliced.period_start,
        units_sliced.slice_type,
        units_sliced.slice_value
),

kpi_values as (
    select
        cast(slices_summed.kpi as {{ text }}) as kpi,
        slices_summed.period_start,
        cast('month' as {{ text }}) as grain,
        cast(slices_summed.slice_type as {{ text }}) as slice_type,
        cast(slices_summed.slice_value as {{ text }}) as slice_value,
        round(
            case
                when kpis.aggregate = 'share'
                    then kpis.scale * slices_summed.point_sum / slices_summed.unit_count
                when kpis.unit = 'days' then slices_summed.median_seconds / 86400
                when kpis.unit = 'hours' then slices_summed.median_seconds / 3600
            end,
            6
        ) as value,
        case when kpis.aggregate = 'share' then slices_summed.point_sum end as numerator,
        slices_summed.unit_count as denominator,
        cast(kpis.target as double) as target,
    from slices_summed
    inner join kpis on slices_summed.kpi = kpis.kpi
    -- what is left of an earlier period is not all of it (retention)
    where
        kpis.counted_from_date is null
        or slices_summed.period_start >= kpis.counted_from_date
)

select * from kpi_values
