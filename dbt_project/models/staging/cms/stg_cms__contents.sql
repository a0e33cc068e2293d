-- one row per version of a content item
with

contents as (
    select
        content_id,
        _delivery_id as delivery_id,
        content_type,
        title,
        path,
        topic,
        stage,
        author,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        published_at,
        updated_at,
        _received_at as received_at,
    from {{ source('cms', 'contents') }}
)

select * from contents
