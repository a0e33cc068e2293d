"""The survey tool's exports: respondents, NPS and CES responses, the employee pulse."""

from __future__ import annotations

import duckdb

from orchestration.demo.world import DAY

_RESPONDENTS = """
insert into out_row
select 'surveys', 'respondents', record_id, idx, created_ms,
    night_of(created_ms, 'respondent' || record_id),
    concat_ws(',', record_id, coalesce(email, ''), csv_cell(first_name || ' ' || last_name),
        coalesce(phone, ''), country, 'en', isos(created_ms), isos(created_ms))
from record where slot_kind = 'respondent'
"""

_RESPONSES = """
create table response as
with asked as (
    select
        record_id, record.idx, n, idx * 8 + n as k, coalesce(is_poor, false) as is_poor,
        created_ms + 30000 + whole_seconds((n * 120 + r('answered', idx * 8 + n) * 60) * {day})
            as at_ms
    from record left join (select idx, is_poor from app_user) using (idx),
        unnest(range(6)) as t(n)
    where slot_kind = 'respondent' and r('answers', idx * 8 + n) < 0.6
)
select *, 'res-' || lpad(to_hex(scramble(k, 214013, 99)), 8, '0') as response_id,
    if(k % 3 = 0, 'ces', 'nps') as survey,
    case
        when k % 3 = 0 then 1 + floor(power(r('effort', k), if(is_poor, 1.6, 0.5)) * 7)::integer
        else floor(power(r('score nps', k), if(is_poor, 1.4, 0.35)) * 11)::integer
    end as score
from asked
"""

_RESPONSE_LINES = """
insert into out_row
select 'surveys', 'responses', response_id, idx, at_ms, night_of(at_ms, response_id),
    concat_ws(',', response_id, record_id, survey, survey || '_1', score,
        case when r('says', k) < 0.3 then csv_cell(
            if(score >= 7, 'Works well, thank you', 'Too slow, and hard to reach anyone')) else ''
        end, if(survey = 'nps', 'quarterly', 'after_ticket'), '',
        choose(['email', 'in_app'], r('asked by', k)), isos(at_ms))
from response
"""

_PULSES = """
insert into out_row
select 'surveys', 'pulses', pulse_id, null, at_ms, night_of(at_ms, pulse_id),
    concat_ws(',', pulse_id, department, 'pulse_1',
        (2 + floor(r('pulse', pulse_id) * if(department = 'support', 3, 4)))::integer, isos(at_ms))
from (
    select 'pulse-' || m || '-' || staff_no as pulse_id, department,
        from_ms + 10 * {day} + staff_no * 600000 as at_ms
    from month, staff
)
"""

_TRUTH = """
insert into truth_event
select source, entity, row_key, idx, at_ms, night, null, null, null, null
from out_row where source = 'surveys' and entity = 'responses'
"""


def simulate_surveys(world: duckdb.DuckDBPyConnection) -> None:
    """Add the surveys' rows to out_row and the responses to the truth."""
    for statement in (_RESPONDENTS, _RESPONSES, _RESPONSE_LINES, _PULSES, _TRUTH):
        world.execute(statement.format(day=DAY))
