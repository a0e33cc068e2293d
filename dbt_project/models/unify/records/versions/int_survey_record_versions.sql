-- one row per version of a survey respondent
with

respondents as (
    select
        respondent_id,
        email,
        name,
        phone,
        country,
        language,
        load_number,
        row_hash,
        created_at,
        updated_at,
        received_at,
    from {{ ref('stg_surveys__respondents') }}
),

record_versions as (
    select
        {{- record_version_columns({
            'record_key': "'surveys/respondents/' || respondents.respondent_id",
            'source': "'surveys'",
            'entity': "'respondents'",
            'record_id': 'respondents.respondent_id',
            'email': 'respondents.email',
            'phone': 'respondents.phone',
            'first_name': "nullif(split_part(trim(respondents.name), ' ', 1), '')",
            'last_name': "nullif(split_part(trim(respondents.name), ' ', -1), "
                ~ "split_part(trim(respondents.name), ' ', 1))",
            'country': 'respondents.country',
            'language': 'respondents.language',
            'load_number': 'respondents.load_number',
            'is_staff_role': 'false',
            'is_archived': 'false',
            'registered_at': 'coalesce(respondents.created_at, respondents.updated_at)',
            'created_at': 'coalesce(respondents.created_at, respondents.updated_at)',
            'version_at': 'respondents.updated_at',
            'received_at': 'respondents.received_at',
            'version_hash': 'respondents.row_hash',
        }) }}
    from respondents
)

select * from record_versions
