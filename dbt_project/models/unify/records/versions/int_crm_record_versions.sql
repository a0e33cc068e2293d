-- one row per version of a person in a CRM
with

contacts as (
    {{- stacked_crm_contacts() }}
),

record_versions as (
    select
        {{- record_version_columns({
            'record_key': "contacts.source || '/' || contacts.entity || '/' || contacts.contact_id",
            'source': 'contacts.source',
            'entity': 'contacts.entity',
            'record_id': 'contacts.contact_id',
            'user_id': 'contacts.app_user_id',
            'company_id': crm_key('contacts.source', 'contacts.company_id'),
            'email': 'contacts.email',
            'additional_emails': 'contacts.additional_emails',
            'phone': 'contacts.phone',
            'mobile_phone': 'contacts.mobile_phone',
            'merged_record_ids': 'coalesce(contacts.merged_contact_ids,'
                ~ " 'contacts/' || contacts.converted_contact_id)",
            'first_name': 'contacts.first_name',
            'last_name': 'contacts.last_name',
            'company_name': 'contacts.company_name',
            'job_title': 'contacts.job_title',
            'job_role': 'contacts.role',
            'industry': 'contacts.industry',
            'country': 'contacts.country',
            'city': 'contacts.city',
            'postal_code': 'contacts.postal_code',
            'street': 'contacts.street',
            'house_number': 'contacts.house_number',
            'lifecycle_stage': 'contacts.lifecycle_stage',
            'load_number': 'contacts.load_number',
            'is_staff_role': 'false',
            'is_archived': 'coalesce(contacts.is_archived, false)',
            'birth_date': 'contacts.birth_date',
            'registered_at': 'coalesce(contacts.created_at, contacts.updated_at)',
            'created_at': 'coalesce(contacts.created_at, contacts.updated_at)',
            'version_at': 'contacts.updated_at',
            'received_at': 'contacts.received_at',
            'version_hash': 'contacts.row_hash',
        }) }}
    from contacts
)

select * from record_versions
