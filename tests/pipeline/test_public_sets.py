"""On public sets with known answers the product finds what Splink's ordinary set-up does."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from benchmarks.identity.public import compared

REGISTER = """
create table source as
select
    rec_id as record, regexp_extract(rec_id, 'rec-([0-9]+)-', 1) as truth,
    nullif(given_name, '') as first_name, nullif(surname, '') as last_name, null::text as email,
    nullif(suburb, '') as city, nullif(postcode, '') as postal_code,
    nullif(address_1, '') as street, nullif(street_number, '') as house_number,
    strftime(try_strptime(date_of_birth, '%Y%m%d'), '%Y-%m-%d') as birth_date,
    nullif(date_of_birth, '') as dob
from (select trim(columns(*)) from read_csv('{path}', all_varchar = true, delim = ', '))
"""


@pytest.mark.slow
def test_a_register_full_of_slips_is_put_together_without_a_false_pair(shared_data: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(REGISTER.format(path=shared_data / "febrl1" / "dataset1.csv"))
        merged, confirmed, splink_merged, splink_confirmed = compared(connection)
    assert (merged.records, merged.false_pairs) == (1000, 0)
    assert merged.f1 >= splink_merged.f1
    assert confirmed.f1 >= splink_confirmed.f1
    assert splink_merged.recall > 0.9
