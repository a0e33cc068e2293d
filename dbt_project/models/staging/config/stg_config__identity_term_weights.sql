-- one row per comparison and value that the trained matcher knows the frequency of
with

identity_term_weights as (
    select
        comparison,
        term,
        weight,
    from {{ source('config', 'identity_term_weights') }}
)

select * from identity_term_weights
