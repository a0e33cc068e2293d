"""The life of each app user, planned on arrival: sign-up, trial, checkout, subscription, churn.

The effects that the truth reports stand here as constants: experiment arms, the two initiatives,
the checkout bug, the campaign, and what poor experiences do to churn. Effects on conversion are
in shares of trials that pay within their 30 days.
"""

from __future__ import annotations

import duckdb

from orchestration.demo.names import REASONS, sql_list
from orchestration.demo.world import DAY

BASE_CONVERSION = 0.30
ARM_EFFECTS = {"control": 0.0, "email": 0.03, "push": 0.02, "both": 0.15, "holdout": 0.0}
WORKING_INITIATIVE_EFFECT = 0.10
IDLE_INITIATIVE_EFFECT = 0.0
INITIATIVES_FROM_MONTH = 9
CAMPAIGN_EFFECT = 0.08
HANDOFF_HOURS = 60
PLAIN_HOURS = 5
MONTHLY_CHURN = 0.035
# Churn of a month after one, two and three poor experiences, to none: the third costs most.
POOR_EXPERIENCE_CHURN_RATIOS = (1.3, 1.8, 5.0)
POOR_EXPERIENCE_CODE = "E_DATA_LOSS"
# Shares of people who will have had one, two and three of them, if they stay.
POOR_EXPERIENCE_SHARES = (0.36, 0.25, 0.15)
BUG_VERSION = "4.2.0"
BUG_FROM_MONTH, BUG_WEEKS = 12, 6
BUG_FAILURE_RATE, PLAIN_FAILURE_RATE = 0.75, 0.06
BUG_ABANDON_RATE = 0.65
PAYS_RATE = 0.8
_CHECKOUT_DAYS, _CHECKOUT_SKEW, _TRIAL_DAYS = 38, 1.6, 30
# Of those who come to the checkout outside of the bug: who pays while the trial lasts.
_PAID_IN_TIME = (
    PAYS_RATE
    * (1 - PLAIN_FAILURE_RATE * BUG_ABANDON_RATE)
    * ((_TRIAL_DAYS - 0.09) / _CHECKOUT_DAYS) ** (1 / _CHECKOUT_SKEW)
)

_PLANS = """
create table app_user as
with signups as (
    select
        person.idx, person.persona, person.company_no, person.shares_device, arrived_ms,
        arrived_ms + whole_seconds(r('signup', idx) * 6 * {day}) + 600000 as signup_ms,
        choose(['desktop', 'desktop', 'mobile_web', 'ios', 'android'], r('device', idx))
            as device_type,
        choose(['ios', 'android', 'mobile_web', 'desktop'], r('device 2', idx)) as second_type,
        r('poor', idx) < {poor_shares[0]} as has_first, r('poor', idx) < {poor_shares[1]}
            as has_second, r('poor', idx) < {poor_shares[2]} as is_poor,
        1 + floor(r('poor 1', idx) * 2) as month_1,
        month_1 + 1 + floor(r('poor 2', idx) * 2) as month_2,
        month_2 + 1 + floor(r('poor 3', idx) * 2) as month_3,
        choose(['control', 'email', 'push', 'both', 'holdout'], r('arm', idx)) as arm,
        r('checklist', idx) < 0.5 as has_checklist,
        r('colours', idx) < 0.5 as has_colours,
        choose(['starter', 'team', 'business'], power(r('plan', idx), 1.5)) as plan
    from person join presence using (idx)
    where has_user
),
trials as (
    select
        *,
        case when r('trial', idx) < 0.72
            then signup_ms + 61000 + whole_seconds(power(r('trial at', idx), 3) * 5 * {day})
        end as trial_ms,
        {bug_from} as bug_from_ms, {bug_from} + {bug_weeks} * 7 * {day} as bug_to_ms
    from signups
),
checkouts as (
    select
        *,
        case
            when r('checkout', idx) * {paid_in_time} < {base}
                + case arm {arms} end
                + case when has_checklist and trial_ms >= {initiative_from}
                    then {initiative} else 0 end
                + case persona when 'builder' then 0.05 when 'saver' then -0.04 else 0 end
                - case when is_poor then 0.08 else 0 end
            then trial_ms + 7200000
                + whole_seconds(power(r('checkout at', idx), {skew}) * {checkout_days} * {day})
        end as checkout_ms
    from trials
),
tried as (
    select
        *,
        checkout_ms between bug_from_ms and bug_to_ms
            and device_type in ('mobile_web', 'ios') as meets_bug
    from checkouts
),
failed as (
    select
        *,
        r('fails', idx) < case when meets_bug then {bug_rate} else {plain_rate} end as has_failed
    from tried
),
paid as (
    select
        *,
        case when not (has_failed and r('abandons', idx) < {abandon}) and r('pays', idx) < {pays}
            then checkout_ms + 180000 + case when has_failed then 5400000 else 0 end
        end as paid_ms
    from failed
),
-- The log of survival falls by a step a month; steps are steeper from each poor experience on.
steps as (
    select
        *,
        ln(1 - r('churn', idx)) as fall,
        ln(1 - {churn}) as step,
        ln(1 - {churn} * if(has_first, {ratios[0]}, 1)) as step_1,
        ln(1 - {churn} * if(has_second, {ratios[1]}, if(has_first, {ratios[0]}, 1))) as step_2,
        ln(1 - {churn} * if(is_poor, {ratios[2]},
            if(has_second, {ratios[1]}, if(has_first, {ratios[0]}, 1)))) as step_3,
        month_1 * step as fall_1,
        fall_1 + (month_2 - month_1) * step_1 as fall_2,
        fall_2 + (month_3 - month_2) * step_2 as fall_3
    from paid
),
churned as (
    select
        * exclude (fall, step, step_1, step_2, step_3, fall_1, fall_2, fall_3),
        1 + floor(case
            when fall > fall_1 then fall / step
            when fall > fall_2 then month_1 + (fall - fall_1) / step_1
            when fall > fall_3 then month_2 + (fall - fall_2) / step_2
            else month_3 + (fall - fall_3) / step_3
        end)::bigint as paid_months
    from steps
),
cancelled as (
    select
        *,
        case when paid_ms is not null and paid_months < 60
            then paid_ms + paid_months * 30 * {day} - 3600000
                - whole_seconds(r('cancel', idx) * {day})
        end as cancel_ms
    from churned
),
-- In the month before it counts.
experienced as (
    select
        *,
        case when has_first then paid_ms + whole_seconds(
            (month_1 - 0.2 - 0.6 * r('poor 1 at', idx)) * 30 * {day}) end as poor_1_ms,
        case when has_second then paid_ms + whole_seconds(
            (month_2 - 0.2 - 0.6 * r('poor 2 at', idx)) * 30 * {day}) end as poor_2_ms,
        case when is_poor then paid_ms + whole_seconds(
            (month_3 - 0.2 - 0.6 * r('poor 3 at', idx)) * 30 * {day}) end as poor_3_ms
    from cancelled
)
select
    * exclude (
        bug_from_ms, bug_to_ms, paid_months, month_1, month_2, month_3, has_first, has_second
    ),
    case
        when poor_1_ms < cancel_ms and r('reason', idx) < 0.7
            then choose(['poor_support', 'product_errors'], r('reason poor', idx))
        else choose({reasons}, r('reason any', idx))
    end as cancel_reason,
    case plan when 'starter' then 19.00 when 'team' then 79.00 else 249.00 end as amount,
    'usr_' || lpad(to_hex(scramble(idx, 1103515245, 12345)), 8, '0') as user_id,
    uid('anonymous 1', idx) as anonymous_1, uid('anonymous 2', idx) as anonymous_2,
    uid('device 1', idx) as device_1, uid('device 2', idx) as device_2,
    uid('anonymous s', (idx + 1) // 2) as anonymous_shared,
    uid('device s', (idx + 1) // 2) as device_shared,
    'sub_' || left(md5('{{seed}}' || user_id), 12) as subscription_id,
    coalesce(
        cancel_ms,
        case when paid_ms is null then coalesce(trial_ms, signup_ms) + 45 * {day} end,
        9000000000000
    ) as stops_ms
from experienced
"""


def create_plans(world: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Create the table app_user: one row per person with an app account."""
    arms = " ".join(f"when '{arm}' then {effect}" for arm, effect in ARM_EFFECTS.items())
    world.execute(
        _PLANS.format(
            day=DAY,
            bug_from=f"(select from_ms from month where m = {BUG_FROM_MONTH})",
            initiative_from=f"(select from_ms from month where m = {INITIATIVES_FROM_MONTH})",
            initiative=WORKING_INITIATIVE_EFFECT,
            bug_weeks=BUG_WEEKS,
            base=BASE_CONVERSION,
            arms=arms,
            bug_rate=BUG_FAILURE_RATE,
            plain_rate=PLAIN_FAILURE_RATE,
            abandon=BUG_ABANDON_RATE,
            churn=MONTHLY_CHURN,
            ratios=POOR_EXPERIENCE_CHURN_RATIOS,
            poor_shares=POOR_EXPERIENCE_SHARES,
            paid_in_time=_PAID_IN_TIME,
            skew=_CHECKOUT_SKEW,
            checkout_days=_CHECKOUT_DAYS,
            pays=PAYS_RATE,
            reasons=sql_list(REASONS),
        ).replace("{seed}", str(seed))
    )
