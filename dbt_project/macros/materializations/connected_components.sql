{#-
    Labels every node with the smallest node of its component.

    The model's SQL gives edges as (left_record_key, right_record_key); an edge of a node to itself
    names a node that may have no other. The table has (record_key, cluster_key). Each round
    takes the smallest label among a node's neighbours and then the label of that label
    (pointer jumping), until nothing changes: the labels do not depend on order or engine.
-#}
{% materialization connected_components, default %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set links = component_helper(this, 'links') -%}
    {%- set labels = component_helper(this, 'labels') -%}
    {%- set lowered = component_helper(this, 'lowered') -%}
    {%- set built = make_intermediate_relation(target_relation) -%}
    {%- set replaced = make_backup_relation(target_relation, 'table') -%}
    {%- for helper in [links, labels, lowered, built, replaced] -%}
        {%- do adapter.drop_relation(helper) -%}
    {%- endfor -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- do run_query(component_links_sql(links, sql)) -%}
    {%- do run_query(component_first_labels_sql(labels, links)) -%}
    {%- set found = namespace(rounds=0, changes=1) -%}
    {%- for _ in range(config.get('round_limit', 100)) if found.changes -%}
        {%- set found.rounds = found.rounds + 1 -%}
        {%- do run_query(component_lower_sql(lowered, labels, links)) -%}
        {%- set found.changes = run_query(component_changes_sql(lowered)).columns[0].values()[0] -%}
        {%- do adapter.drop_relation(labels) -%}
        {%- do run_query(component_jump_sql(labels, lowered)) -%}
        {%- do adapter.drop_relation(lowered) -%}
    {%- endfor -%}
    {%- if found.changes -%}
        {%- do exceptions.raise_compiler_error(
            'connected_components did not end after ' ~ found.rounds ~ ' rounds'
        ) -%}
    {%- endif -%}

    {%- call statement('main') -%}
        create table {{ built }} as {{ component_result_sql(labels, sql) }}
    {%- endcall -%}
    {%- if existing_relation is not none -%}
        {%- do adapter.rename_relation(existing_relation, replaced) -%}
    {%- endif -%}
    {%- do adapter.rename_relation(built, target_relation) -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {%- for helper in [links, labels, replaced] -%}
        {%- do adapter.drop_relation(helper) -%}
    {%- endfor -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{% macro component_helper(relation, suffix) -%}
    {{ return(api.Relation.create(
        database=relation.database,
        schema=relation.schema,
        identifier=relation.identifier ~ '__' ~ suffix,
        type='table',
    )) }}
{%- endmacro %}


{#- Every edge in both directions, once, without the edges of a node to itself. -#}
{% macro component_links_sql(links, edges_sql) %}
    create table {{ links }} as
    with edges as ({{ edges_sql }})
    select edges.left_record_key as node, edges.right_record_key as neighbour
    from edges
    where edges.left_record_key <> edges.right_record_key
    union
    select edges.right_record_key as node, edges.left_record_key as neighbour
    from edges
    where edges.left_record_key <> edges.right_record_key
{% endmacro %}


{% macro component_first_labels_sql(labels, links) %}
    create table {{ labels }} as
    select links.node, least(links.node, min(links.neighbour)) as label
    from {{ links }} as links
    group by links.node
{% endmacro %}


{#- The smallest label among a node and its neighbours. -#}
{% macro component_lower_sql(lowered, labels, links) %}
    create table {{ lowered }} as
    select
        labels.node,
        labels.label as former_label,
        least(labels.label, min(neighbours.label)) as label
    from {{ labels }} as labels
    inner join {{ links }} as links on labels.node = links.node
    inner join {{ labels }} as neighbours on links.neighbour = neighbours.node
    group by labels.node, labels.label
{% endmacro %}


{% macro component_changes_sql(lowered) %}
    select count(*) as changes
    from {{ lowered }} as lowered
    where lowered.label <> lowered.former_label
{% endmacro %}


{#- The label of the label: it is a node of the same component and never larger. -#}
{% macro component_jump_sql(labels, lowered) %}
    create table {{ labels }} as
    select lowered.node, roots.label
    from {{ lowered }} as lowered
    inner join {{ lowered }} as roots on lowered.label = roots.node
{% endmacro %}


{% macro component_result_sql(labels, edges_sql) %}
    with edges as ({{ edges_sql }}),

    nodes as (
        select edges.left_record_key as node from edges
        union
        select edges.right_record_key as node from edges
    )

    select nodes.node as record_key, coalesce(labels.label, nodes.node) as cluster_key
    from nodes
    left join {{ labels }} as labels on nodes.node = labels.node
{% endmacro %}
