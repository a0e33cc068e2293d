{#-
    Which links stand, where linking everything would break a limit.

    The model's SQL gives links as (world_id, link_id, left_record_key, right_record_key,
    strength_rank, link_kind); a world is one component at one instant, and rank 1 its
    strongest link. `limited_values` names a table of the same schema with (world_id, record_key,
    cluster_limit, limited_value, at_most, refuses). The table has (world_id, link_id,
    refused_by), null where the link stands. What a limit refuses: `probabilistic` links, `all`
    links that a rule makes, or `everything`, decided links among it.

    Links are taken from the strongest on, and one that would put more values of a limit into one
    cluster than either side holds and than the limit allows is refused: what gives way is the
    weakest link on every way between two records that may not meet. A link that is the strongest
    one left at both its ends is decided whatever happens elsewhere, so every round decides many,
    and neither order of rows nor engine matters.
-#}
{% materialization guarded_links, default %}
    {%- set links = component_helper(this, 'links') -%}
    {%- set labels = component_helper(this, 'labels') -%}
    {%- set refusals = component_helper(this, 'refusals') -%}
    {%- set live = component_helper(this, 'live') -%}
    {%- set chosen = component_helper(this, 'chosen') -%}
    {%- set verdicts = component_helper(this, 'verdicts') -%}
    {%- set spare = component_helper(this, 'spare') -%}
    {%- set values_relation = api.Relation.create(
        database=this.database, schema=this.schema, identifier=config.get('limited_values')
    ) -%}
    {%- set frame = begin_rounds([links, labels, refusals, live, chosen, verdicts, spare]) -%}

    {%- do run_query('create table ' ~ links ~ ' as ' ~ sql) -%}
    {%- do run_query(guarded_first_labels_sql(labels, links)) -%}
    {%- do run_query(guarded_no_refusals_sql(refusals, links)) -%}
    {%- do run_query(guarded_live_sql(live, links, labels, refusals)) -%}
    {%- set found = namespace(rounds=0, links=component_count(live)) -%}
    {%- for _ in range(config.get('round_limit', 10000)) if found.links -%}
        {%- set found.rounds = found.rounds + 1 -%}
        {%- do run_query(guarded_chosen_sql(chosen, live)) -%}
        {%- do run_query(guarded_verdicts_sql(verdicts, chosen, labels, values_relation)) -%}
        {%- do component_replace(
            refusals, spare, guarded_refusals_sql(spare, refusals, live, verdicts)
        ) -%}
        {%- do component_replace(
            labels, spare, guarded_labels_sql(spare, labels, verdicts)
        ) -%}
        {%- for helper in [live, chosen, verdicts] -%}
            {%- do adapter.drop_relation(helper) -%}
        {%- endfor -%}
        {%- do run_query(guarded_live_sql(live, links, labels, refusals)) -%}
        {%- set found.links = component_count(live) -%}
    {%- endfor -%}
    {%- if found.links -%}
        {%- do exceptions.raise_compiler_error(
            'guarded_links did not end after ' ~ found.rounds ~ ' rounds'
        ) -%}
    {%- endif -%}

    {{ return(end_rounds(frame, guarded_result_sql(links, refusals))) }}
{% endmaterialization %}


{#- Every record of a world stands for itself. -#}
{% macro guarded_first_labels_sql(labels, links) %}
    create table {{ labels }} as
    select links.world_id, links.left_record_key as record_key, links.left_record_key as label
    from {{ links }} as links
    union
    select links.world_id, links.right_record_key as record_key, links.right_record_key as label
    from {{ links }} as links
{% endmacro %}


{% macro guarded_no_refusals_sql(refusals, links) %}
    create table {{ refusals }} as
    select
        links.world_id,
        links.link_id,
        cast(null as {{ dbt.type_string() }}) as refused_by
    from {{ links }} as links
    where false
{% endmacro %}


{#- The links that are not decided: between two labels, and not refused. -#}
{% macro guarded_live_sql(live, links, labels, refusals) %}
    create table {{ live }} as
    select
        links.world_id,
        links.link_id,
        links.strength_rank,
        links.link_kind,
        least(left_labels.label, right_labels.label) as left_label,
        greatest(left_labels.label, right_labels.label) as right_label
    from {{ links }} as links
    inner join {{ labels }} as left_labels
        on
            links.world_id = left_labels.world_id
            and links.left_record_key = left_labels.record_key
    inner join {{ labels }} as right_labels
        on
            links.world_id = right_labels.world_id
            and links.right_record_key = right_labels.record_key
    left join {{ refusals }} as refusals
        on links.world_id = refusals.world_id and links.link_id = refusals.link_id
    where left_labels.label <> right_labels.label and refusals.link_id is null
{% endmacro %}


{#- The links that are the strongest ones left at both their ends. -#}
{% macro guarded_chosen_sql(chosen, live) %}
    create table {{ chosen }} as
    with ends as (
        select live.world_id, live.left_label as label, live.strength_rank from {{ live }} as live
        union all
        select live.world_id, live.right_label as label, live.strength_rank from {{ live }} as live
    ),

    strongest as (
        select ends.world_id, ends.label, min(ends.strength_rank) as strength_rank
        from ends
        group by ends.world_id, ends.label
    )

    select
        live.world_id,
        live.link_id,
        live.link_kind,
        live.left_label,
        live.right_label
    from {{ live }} as live
    inner join strongest as left_strongest
        on
            live.world_id = left_strongest.world_id
            and live.left_label = left_strongest.label
            and live.strength_rank = left_strongest.strength_rank
    inner join strongest as right_strongest
        on
            live.world_id = right_strongest.world_id
            and live.right_label = right_strongest.label
            and live.strength_rank = right_strongest.strength_rank
{% endmacro %}


{% macro guarded_verdicts_sql(verdicts, chosen, labels, values_relation) %}
    create table {{ verdicts }} as
    with label_values as (
        select distinct
            labels.world_id,
            labels.label,
            limited_values.cluster_limit,
            limited_values.limited_value,
            limited_values.at_most,
            limited_values.refuses
        from {{ values_relation }} as limited_values
        inner join {{ labels }} as labels
            on
                limited_values.world_id = labels.world_id
                and limited_values.record_key = labels.record_key
    ),

    ends as (
        select
            chosen.world_id, chosen.link_id, chosen.link_kind,
            chosen.left_label as label, 1 as side
        from {{ chosen }} as chosen
        union all
        select
            chosen.world_id, chosen.link_id, chosen.link_kind,
            chosen.right_label as label, 2 as side
        from {{ chosen }} as chosen
    ),

    counted as (
        select
            ends.world_id,
            ends.link_id,
            label_values.cluster_limit,
            label_values.at_most,
            count(distinct label_values.limited_value) as value_count,
            count(distinct case when ends.side = 1 then label_values.limited_value end)
                as left_count,
            count(distinct case when ends.side = 2 then label_values.limited_value end)
                as right_count
        from ends
        inner join label_values
            on ends.world_id = label_values.world_id and ends.label = label_values.label
        where
            label_values.refuses = 'everything'
            or (label_values.refuses = 'all' and ends.link_kind <> 'decided')
            or ends.link_kind = 'probabilistic'
        group by
            ends.world_id, ends.link_id, label_values.cluster_limit, label_values.at_most
    ),

    broken as (
        select counted.world_id, counted.link_id, min(counted.cluster_limit) as refused_by
        from counted
        where
            counted.value_count > counted.at_most
            and counted.value_count > greatest(counted.left_count, counted.right_count)
        group by counted.world_id, counted.link_id
    )

    select
        chosen.world_id,
        chosen.link_id,
        chosen.left_label,
        chosen.right_label,
        broken.refused_by
    from {{ chosen }} as chosen
    left join broken on chosen.world_id = broken.world_id and chosen.link_id = broken.link_id
{% endmacro %}


{#- A refused link takes with it every weaker one between the same two clusters. -#}
{% macro guarded_refusals_sql(spare, refusals, live, verdicts) %}
    create table {{ spare }} as
    select refusals.world_id, refusals.link_id, refusals.refused_by
    from {{ refusals }} as refusals
    union all
    select live.world_id, live.link_id, verdicts.refused_by
    from {{ live }} as live
    inner join {{ verdicts }} as verdicts
        on
            live.world_id = verdicts.world_id
            and live.left_label = verdicts.left_label
            and live.right_label = verdicts.right_label
    where verdicts.refused_by is not null
{% endmacro %}


{% macro guarded_labels_sql(spare, labels, verdicts) %}
    create table {{ spare }} as
    select
        labels.world_id,
        labels.record_key,
        coalesce(verdicts.left_label, labels.label) as label
    from {{ labels }} as labels
    left join {{ verdicts }} as verdicts
        on
            labels.world_id = verdicts.world_id
            and labels.label = verdicts.right_label
            and verdicts.refused_by is null
{% endmacro %}


{% macro guarded_result_sql(links, refusals) %}
    select links.world_id, links.link_id, refusals.refused_by
    from {{ links }} as links
    left join {{ refusals }} as refusals
        on links.world_id = refusals.world_id and links.link_id = refusals.link_id
{% endmacro %}
