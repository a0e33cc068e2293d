-- one row per record about a person that was ever delivered, staff among them
with

record_versions as (
    select record_key, email, is_staff_role, load_number, received_at
    from {{ ref('int_record_versions') }}
),

owners as (
    select email, load_number, received_at from {{ ref('stg_hubspot__owners') }}
),

staff_emails_stacked as (
    select
        {{ normalised_email('owners.email') }} as email,
        owners.load_number,
        owners.received_at,
    from owners
    union all
    select record_versions.email, record_versions.load_number, record_versions.received_at
    from record_versions
    where record_versions.is_staff_role
),

staff_emails as (
    select
        staff_emails_stacked.email,
        min(staff_emails_stacked.load_number) as load_number,
        max(staff_emails_stacked.load_number) as newest_load_number,
        min(staff_emails_stacked.received_at) as received_at,
    from staff_emails_stacked
    where staff_emails_stacked.email is not null
    group by staff_emails_stacked.email
),

-- in any version: who was an employee once is a customer no more
staff_evidence as (
    select
        record_key,
        load_number,
        load_number as newest_load_number,
        received_at,
    from record_versions
    where is_staff_role
    union all
    select
        record_versions.record_key,
        greatest(record_versions.load_number, staff_emails.load_number),
        greatest(record_versions.load_number, staff_emails.newest_load_number),
        greatest(record_versions.received_at, staff_emails.received_at),
    from record_versions
    inner join staff_emails on record_versions.email = staff_emails.email
),

staff_records as (
    select
        staff_evidence.record_key,
        min(staff_evidence.load_number) as staff_load_number,
        max(staff_evidence.newest_load_number) as newest_staff_load_number,
        min(staff_evidence.received_at) as staff_known_at,
    from staff_evidence
    group by staff_evidence.record_key
),

arrivals as (
    select record_versions.record_key, min(record_versions.received_at) as first_received_at
    from record_versions
    group by record_versions.record_key
),

records_delivered as (
    select
        arrivals.record_key,
        staff_records.staff_load_number,
        staff_records.newest_staff_load_number,
        arrivals.first_received_at,
        staff_records.staff_known_at,
    from arrivals
    left join staff_records on arrivals.record_key = staff_records.record_key
)

select * from records_delivered
