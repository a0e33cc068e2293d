-- one row per version of a member of an e-mail audience
with

members as (
    {{- stacked_email_members() }}
),

record_versions as (
    select
        {{- record_version_columns({
            'record_key': "members.source || '/' || members.entity || '/' || members.member_id",
            'source': 'members.source',
            'entity': 'members.entity',
            'record_id': 'members.member_id',
            'email': 'members.email',
            'phone': 'members.phone',
            'first_name': 'members.first_name',
            'last_name': 'members.last_name',
            'country': 'members.country',
            'language': 'members.language',
            'subscription_status': 'members.status',
            'load_number': 'members.load_number',
            'is_staff_role': 'false',
            'is_archived': "coalesce(members.status = 'archived', false)",
            'registered_at': 'coalesce(members.created_at, members.last_changed_at)',
            'created_at': 'coalesce(members.created_at, members.last_changed_at)',
            'version_at': 'members.last_changed_at',
            'received_at': 'members.received_at',
            'version_hash': 'members.row_hash',
        }) }}
    from members
)

select * from record_versions
