-- one row per version of a user of a support system
with

users as (
    {{- stacked_support_users() }}
),

record_versions as (
    select
        {{- record_version_columns({
            'record_key': "users.source || '/' || users.entity || '/' || users.user_id",
            'source': 'users.source',
            'entity': 'users.entity',
            'record_id': 'users.user_id',
            'user_id': 'users.external_id',
            'email': 'users.email',
            'phone': 'users.phone',
            'first_name': "nullif(split_part(trim(users.name), ' ', 1), '')",
            'last_name': "nullif(split_part(trim(users.name), ' ', -1), "
                ~ "split_part(trim(users.name), ' ', 1))",
            'language': 'users.locale',
            'load_number': 'users.load_number',
            'is_staff_role': "coalesce(users.role in ('agent', 'admin'), false)",
            'is_archived': 'not coalesce(users.is_active, true)',
            'registered_at': 'coalesce(users.created_at, users.updated_at)',
            'created_at': 'coalesce(users.created_at, users.updated_at)',
            'version_at': 'users.updated_at',
            'received_at': 'users.received_at',
            'version_hash': 'users.row_hash',
        }) }}
    from users
)

select * from record_versions
