-- one row per address that events name and source whose records bear it ('*': any source)
{%- set text = dbt.type_string() %}

with

addresses as (
    select distinct email from {{ ref('int_events') }} where email is not null
),

record_identifiers as (
    select record_key, identifier_value as email, valid_from, load_number
    from {{ ref('int_record_identifiers') }}
    where identifier_type = 'email'
),

records as (
    select record_key, source from {{ ref('int_records') }}
),

customer_records as (
    select record_key, customer_id from {{ ref('stg_identity__customer_records') }}
),

bearers as (
    select
        records.source,
        addresses.email,
        record_identifiers.record_key,
        coalesce(customer_records.customer_id, record_identifiers.record_key) as bearer_id,
        record_identifiers.valid_from,
        record_identifiers.load_number,
    from addresses
    inner join record_identifiers on addresses.email = record_identifiers.email
    inner join records on record_identifiers.record_key = records.record_key
    left join customer_records
        on record_identifiers.record_key = customer_records.record_key
),

bearers_in_scope as (
    select * from bearers
    union all
    select
        cast('*' as {{ text }}) as source,
        bearers.email,
        bearers.record_key,
        bearers.bearer_id,
        bearers.valid_from,
        bearers.load_number,
    from bearers
),

bearers_ranked as (
    select
        bearers_in_scope.*,
        row_number() over (
            partition by bearers_in_scope.source, bearers_in_scope.email
            order by
                bearers_in_scope.valid_from nulls last,
                bearers_in_scope.record_key nulls last
        ) as bearer_number,
    from bearers_in_scope
),

-- An address that several customers bear is nobody's: nothing is guessed.
email_owners as (
    select
        bearers_ranked.source,
        bearers_ranked.email,
        case
            when count(distinct bearers_ranked.bearer_id) = 1
                then max(
                    case
                        when bearers_ranked.bearer_number = 1 then bearers_ranked.record_key
                    end
                )
        end as owner_record_key,
        cast(max(bearers_ranked.load_number) as integer) as load_number,
    from bearers_ranked
    group by bearers_ranked.source, bearers_ranked.email
)

select * from email_owners
