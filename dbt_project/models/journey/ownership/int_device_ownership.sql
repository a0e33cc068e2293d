-- one row per device and time in which one user owned it
with

logins as (
    select source, message_id, anonymous_id, owner_record_key, load_number, logged_in_at
    from {{ ref('int_device_logins') }}
),

logins_beside_previous as (
    select
        logins.*,
        lag(logins.owner_record_key) over (
            partition by logins.source, logins.anonymous_id
            order by
                logins.logged_in_at nulls last,
                logins.owner_record_key nulls last,
                logins.message_id nulls last
        ) as previous_owner_record_key,
    from logins
),

-- Only a login of another user than the one before changes who owns the device.
takeovers as (
    select
        logins_beside_previous.*,
        row_number() over (
            partition by logins_beside_previous.source, logins_beside_previous.anonymous_id
            order by
                logins_beside_previous.logged_in_at nulls last,
                logins_beside_previous.owner_record_key nulls last,
                logins_beside_previous.message_id nulls last
        ) as takeover_number,
        lead(logins_beside_previous.logged_in_at) over (
            partition by logins_beside_previous.source, logins_beside_previous.anonymous_id
            order by
                logins_beside_previous.logged_in_at nulls last,
                logins_beside_previous.owner_record_key nulls last,
                logins_beside_previous.message_id nulls last
        ) as next_takeover_at,
        max(logins_beside_previous.load_number) over (
            partition by logins_beside_previous.source, logins_beside_previous.anonymous_id
        ) as device_load_number,
    from logins_beside_previous
    where
        logins_beside_previous.previous_owner_record_key is null
        or logins_beside_previous.previous_owner_record_key
        <> logins_beside_previous.owner_record_key
),

-- What happened before the first login belongs to the first user. A takeover never goes away
-- when more logins come in, so the newest takeover dates every change of the device's owners,
-- for the owners before it too.
devices_owned as (
    select
        takeovers.source,
        takeovers.anonymous_id,
        takeovers.owner_record_key,
        cast(takeovers.device_load_number as integer) as load_number,
        cast(takeovers.takeover_number as integer) as takeover_number,
        case
            when takeovers.takeover_number = 1 then cast('1900-01-01' as timestamp)
            else takeovers.logged_in_at
        end as valid_from,
        coalesce(takeovers.next_takeover_at, cast('9999-12-31' as timestamp)) as valid_to,
    from takeovers
)

select * from devices_owned
