-- one row per record of which something arrived since all records were matched last
with

phase_marks as (
    select load_number from {{ ref('stg_pipeline__phase_marks') }}
    where
        phase = 'matched'
        and {{ 'false' if should_full_refresh() else 'true' }}
),

record_versions as (
    select record_key, company_id, load_number from {{ ref('int_record_versions') }}
),

records_delivered as (
    select record_key, newest_staff_load_number from {{ ref('int_records_delivered') }}
    where newest_staff_load_number is not null
),

record_identifiers as (
    select record_key, identifier_value, load_number from {{ ref('int_record_identifiers') }}
),

delivered_companies as (
    {{- stacked_crm_companies() }}
),

-- the mark of a first build: nothing has been matched yet
marks as (
    select coalesce(max(phase_marks.load_number), 0) as load_number from phase_marks
),

new_companies as (
    select distinct
        {{ crm_key('delivered_companies.source', 'delivered_companies.company_id') }}
            as company_id,
        {{ web_domain('delivered_companies.domain') }} as domain,
    from delivered_companies
    cross join marks
    where delivered_companies.load_number > marks.load_number
),

changes_stacked as (
    select record_key, load_number from record_versions
    union all
    select record_key, load_number from record_identifiers
    union all
    select record_key, newest_staff_load_number from records_delivered
),

-- a company's name and domain are evidence of the people it is said to employ
touched_records as (
    select changes_stacked.record_key
    from changes_stacked
    cross join marks
    where changes_stacked.load_number > marks.load_number
    union
    select record_versions.record_key
    from record_versions
    inner join new_companies on record_versions.company_id = new_companies.company_id
    union
    select record_identifiers.record_key
    from record_identifiers
    inner join new_companies
        on split_part(record_identifiers.identifier_value, '@', 2) = new_companies.domain
)

select * from touched_records
