-- one row per pair of records that a person should look at
with

pair_weights as (
    select left_record_key, right_record_key, match_weight, is_above_merge, known_at, capped_at
    from {{ ref('int_pair_weights') }}
),

clusters as (
    select record_key, cluster_key from {{ ref('int_clusters') }}
),

decisions as (
    select left_record_key, right_record_key from {{ ref('int_identity_decisions') }}
),

pairs_weighed as (
    select
        pair_weights.left_record_key,
        pair_weights.right_record_key,
        max(pair_weights.match_weight) as match_weight,
        min(pair_weights.known_at) as known_at,
        count(*) filter (where pair_weights.is_above_merge) as merging_count,
    from pair_weights
    where pair_weights.capped_at is null
    group by pair_weights.left_record_key, pair_weights.right_record_key
),

-- what is one customer anyway, was enough to merge, or was decided, waits for nobody
review_pairs as (
    select
        pairs_weighed.left_record_key,
        pairs_weighed.right_record_key,
        left_clusters.cluster_key as left_cluster_key,
        right_clusters.cluster_key as right_cluster_key,
        pairs_weighed.match_weight,
        pairs_weighed.known_at,
    from pairs_weighed
    inner join clusters as left_clusters
        on pairs_weighed.left_record_key = left_clusters.record_key
    inner join clusters as right_clusters
        on pairs_weighed.right_record_key = right_clusters.record_key
    left join decisions
        on
            pairs_weighed.left_record_key = decisions.left_record_key
            and pairs_weighed.right_record_key = decisions.right_record_key
    where
        left_clusters.cluster_key <> right_clusters.cluster_key
        and pairs_weighed.merging_count = 0
        and decisions.left_record_key is null
)

select * from review_pairs
