{#- Written by `journeyline contracts sync` from data_contracts/sources/; do not edit.
    The staging models that speak a vocabulary (`feeds` in their contract). -#}
{% macro feeds(kind) -%}
    {{ return({
        'app_events': [
            {
                'source': 'segment',
                'entity': 'events',
                'model': 'stg_segment__events',
                'columns': [
                    'message_id',
                    'anonymous_id',
                    'user_id',
                    'previous_id',
                    'group_id',
                    'device_id',
                    'campaign_id',
                    'delivery_id',
                    'type',
                    'event',
                    'name',
                    'device_type',
                    'app_version',
                    'library',
                    'campaign_name',
                    'page_path',
                    'referrer',
                    'locale',
                    'properties',
                    'traits',
                    'load_number',
                    'delivery_row_number',
                    'row_hash',
                    'consent_analytics',
                    'original_at',
                    'sent_at',
                    'segment_received_at',
                    'event_at',
                    'received_at',
                ],
            },
        ],
    }[kind]) }}
{%- endmacro %}
