"""A query without its next page, change tracking without its link, a write without the row: nothing is made up."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, SECOND_ACCOUNT

from receiver.core.message import Version
from receiver.dataverse.rows import Change, DataverseRow
from receiver.errors import BrokenAnswerError

COLUMNS = frozenset({"name", "fax"})


def test_a_page_without_its_link_is_not_the_last(small_company: Company) -> None:
    small_company.sandbox.faults.no_next_link = 1

    with pytest.raises(BrokenAnswerError, match="more rows follow"):
        list(small_company.services.dataverse.pages("account", COLUMNS, size=1))


def test_change_tracking_that_does_not_say_where_it_goes_on_is_not_believed(small_company: Company) -> None:
    small_company.sandbox.faults.no_delta_link = 1

    with pytest.raises(BrokenAnswerError, match="where its change tracking goes on"):
        small_company.services.dataverse.tracked("account", "")


@pytest.mark.parametrize("ids", [[ACCOUNT], [ACCOUNT, SECOND_ACCOUNT]], ids=["by itself", "in a batch"])
def test_where_only_done_came_the_row_is_read(small_company: Company, ids: list[str]) -> None:
    small_company.sandbox.faults.no_representation = len(ids)

    kept = small_company.services.dataverse.change(
        [Change("account", id_, {"fax": "7"}, COLUMNS, Version()) for id_ in ids]
    )

    assert [one.values["fax"] for one in kept if isinstance(one, DataverseRow)] == ["7"] * len(ids)
