-- one row per change of a customer id
with

history as (
    select
        customer_id, other_customer_id, change, rule, evidence, known_at, occurred_at,
    from {{ ref('stg_identity__history') }}
),

identity_history as (
    select
        history.customer_id,
        history.other_customer_id,
        history.change,
        history.rule,
        history.evidence,
        history.known_at,
        history.occurred_at,
    from history
)

select * from identity_history
