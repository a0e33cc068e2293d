{#-
    Labels every node with the smallest node of its component.

    The model's SQL gives edges as (left_record_key, right_record_key); an edge of a node to itself
    names a node that may have no other. With the config `kept_pairs=true` they come from a model
    with the strategy of that name, whose pairs that are gone are left out.

    The table has (record_key, cluster_key). Nodes are numbered
    in their order, so that rounds compare numbers instead of text. Each round hooks
    every node to its smallest neighbour, follows the hooks to their roots (pointer jumping) and
    contracts the graph to those roots, until no link is left: a chain of any order and length
    takes a number of rounds that grows with the logarithm of its length, and the labels do not
    depend on order or engine.
-#}
{% materialization connected_components, default %}
    {%- set numbers = component_helper(this, 'numbers') -%}
    {%- set links = component_helper(this, 'links') -%}
    {%- set labels = component_helper(this, 'labels') -%}
    {%- set roots = component_helper(this, 'roots') -%}
    {%- set spare = component_helper(this, 'spare') -%}
    {%- set frame = begin_rounds([numbers, links, labels, roots, spare]) -%}

    {%- set edges_sql = component_standing_sql(sql) if config.get('kept_pairs', false) else sql -%}
    {%- do run_query(component_numbers_sql(numbers, edges_sql)) -%}
    {%- do run_query(component_links_sql(links, numbers, edges_sql)) -%}
    {%- do run_query(component_first_labels_sql(labels, links)) -%}
    {%- set found = namespace(rounds=0, links=component_count(links)) -%}
    {%- for _ in range(config.get('round_limit', 100)) if found.links -%}
        {%- set found.rounds = found.rounds + 1 -%}
        {%- do component_find_roots(roots, spare, links) -%}
        {%- do component_replace(labels, spare, component_lower_sql(spare, labels, roots)) -%}
        {%- do component_replace(links, spare, component_lift_sql(spare, links, roots)) -%}
        {%- do component_replace(links, spare, component_contract_sql(spare, links, roots)) -%}
        {%- do adapter.drop_relation(roots) -%}
        {%- set found.links = component_count(links) -%}
    {%- endfor -%}
    {%- if found.links -%}
        {%- do exceptions.raise_compiler_error(
            'connected_components did not end after ' ~ found.rounds ~ ' rounds'
        ) -%}
    {%- endif -%}

    {{ return(end_rounds(frame, component_result_sql(labels, numbers))) }}
{% endmaterialization %}


{% macro component_standing_sql(pairs_sql) %}
    select pairs.left_record_key, pairs.right_record_key
    from ({{ pairs_sql }}) as pairs
    where not pairs.is_gone
{% endmacro %}


{#- Every node once, numbered in the order of the nodes: the smallest number is the smallest node. -#}
{% macro component_numbers_sql(numbers, edges_sql) %}
    create table {{ numbers }} as
    with edges as ({{ edges_sql }}),

    nodes as (
        select edges.left_record_key as node from edges
        union
        select edges.right_record_key as node from edges
    )

    select nodes.node, row_number() over (order by nodes.node nulls last) as number
    from nodes
{% endmacro %}


{#- Every edge in both directions, once, without the edges of a node to itself. -#}
{% macro component_links_sql(links, numbers, edges_sql) %}
    create table {{ links }} as
    with edges as ({{ edges_sql }}),

    numbered as (
        select left_numbers.number as node, right_numbers.number as neighbour
        from edges
        inner join {{ numbers }} as left_numbers
            on edges.left_record_key = left_numbers.node
        inner join {{ numbers }} as right_numbers
            on edges.right_record_key = right_numbers.node
        where edges.left_record_key <> edges.right_record_key
    )

    select numbered.node, numbered.neighbour from numbered
    union
    select numbered.neighbour as node, numbered.node as neighbour from numbered
{% endmacro %}


{% macro component_first_labels_sql(labels, links) %}
    create table {{ labels }} as
    select distinct links.node, links.node as label
    from {{ links }} as links
{% endmacro %}


{#- Each node's root: its smallest neighbour, that one's smallest neighbour, and so on. -#}
{% macro component_find_roots(roots, spare, links) -%}
    {%- do run_query(component_hooks_sql(roots, links)) -%}
    {%- set jump = namespace(changes=1) -%}
    {%- for _ in range(64) if jump.changes -%}
        {%- do run_query(component_jump_sql(spare, roots)) -%}
        {%- set jump.changes = component_count(spare, 'spare.root <> spare.former_root') -%}
        {%- do adapter.drop_relation(roots) -%}
        {%- do adapter.rename_relation(spare, roots) -%}
    {%- endfor -%}
{%- endmacro %}


{% macro component_hooks_sql(roots, links) %}
    create table {{ roots }} as
    select links.node, least(links.node, min(links.neighbour)) as root
    from {{ links }} as links
    group by links.node
{% endmacro %}


{% macro component_jump_sql(spare, roots) %}
    create table {{ spare }} as
    select roots.node, roots.root as former_root, further.root
    from {{ roots }} as roots
    inner join {{ roots }} as further on roots.root = further.node
{% endmacro %}


{% macro component_lower_sql(spare, labels, roots) %}
    create table {{ spare }} as
    select labels.node, coalesce(roots.root, labels.label) as label
    from {{ labels }} as labels
    left join {{ roots }} as roots on labels.label = roots.node
{% endmacro %}


{#-
    The links between roots, one end and then the other: what lies within one root's tree is
    settled. In one statement the two ends would be compared with each other, and an optimizer
    that knows nothing of these tables may pair every root with every root first.
-#}
{% macro component_lift_sql(spare, links, roots) %}
    create table {{ spare }} as
    select distinct roots.root as node, links.neighbour
    from {{ links }} as links
    inner join {{ roots }} as roots on links.node = roots.node
{% endmacro %}


{% macro component_contract_sql(spare, links, roots) %}
    create table {{ spare }} as
    select distinct links.node, roots.root as neighbour
    from {{ links }} as links
    inner join {{ roots }} as roots on links.neighbour = roots.node
    where links.node <> roots.root
{% endmacro %}


{% macro component_result_sql(labels, numbers) %}
    select numbers.node as record_key, coalesce(smallest.node, numbers.node) as cluster_key
    from {{ numbers }} as numbers
    left join {{ labels }} as labels on numbers.number = labels.node
    left join {{ numbers }} as smallest on labels.label = smallest.number
{% endmacro %}
