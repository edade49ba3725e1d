"""What a row carries of this company: its id, and who owns it. Source: BC C7205; reference §13.1, §13.4, §13.6."""

from __future__ import annotations

from dataclasses import dataclass

from receiver.core.values import NO_VALUES, Reference, Values

COMPANY_ID, OWNER = "bcbi_companyid", "ownerid"


@dataclass(frozen=True)
class Stamps:
    """What rows that a mapping writes carry of us: made of the settings and the environment, never stored."""

    #: our company; None where the settings name none, or the environment's table keeps none
    company: Reference | None = None
    #: the filter has no condition on the company: rows of other companies are synchronized too
    is_multi_company: bool = False
    #: the team that owns what we create; None in the Person model, where a salesperson's user does
    owner: Reference | None = None

    def of_new_row(self) -> Values:
        """What a row that we create carries beside the mapped values."""
        both = {COMPANY_ID: self.company, OWNER: self.owner}
        return {name: value for name, value in both.items() if value is not None}

    def of_known_row(self, values: Values) -> Values:
        """Our id for a row that belongs to no company yet; another company's is never overwritten."""
        if self.company is None or self.is_multi_company or COMPANY_ID not in values:
            return NO_VALUES
        return {COMPANY_ID: self.company} if values[COMPANY_ID] is None else NO_VALUES

    def is_foreign(self, values: Values) -> bool:
        """Whether the row belongs to another company, and the mapping leaves those alone."""
        held = values.get(COMPANY_ID)
        if self.company is None or self.is_multi_company or not isinstance(held, Reference):
            return False
        return held.id != self.company.id


NO_STAMPS = Stamps()
