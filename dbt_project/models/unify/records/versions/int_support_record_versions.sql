-- one row per version of a user of the support system
with

users as (
    select
        user_id,
        external_id,
        email,
        name,
        phone,
        role,
        locale,
        load_number,
        row_hash,
        is_active,
        created_at,
        updated_at,
        received_at,
    from {{ ref('stg_zendesk__users') }}
),

record_versions as (
    select
        {{- record_version_columns({
            'record_key': "'zendesk/users/' || users.user_id",
            'source': "'zendesk'",
            'entity': "'users'",
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
