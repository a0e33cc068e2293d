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
        -- no link that came or went is behind it: what is known was judged anew
        case
            when history.rule is null and history.change in ('merged', 'split')
                then 'change_of_rules'
            else history.rule
        end as rule,
        case
            when history.rule in ('must_link', 'cannot_link')
                then split_part(history.evidence, ' ', 1)
            else history.evidence
        end as evidence,
        -- a decision's evidence is the decision and who made it
        case
            when history.rule in ('must_link', 'cannot_link')
                then nullif(
                    substr(
                        history.evidence, length(split_part(history.evidence, ' ', 1)) + 2
                    ),
                    ''
                )
        end as decided_by,
        history.known_at,
        history.occurred_at,
    from history
)

select * from identity_history
