"""Contact (a person) ↔ contact; its company is the customer, or else the vendor, coupled to the parent account."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from receiver.core.mapping import Conversion, FieldMapping
from receiver.store.models import metadata
from receiver.tables.shipped import (
    OWN_OR_EMPTY,
    B,
    F,
    NumberSeries,
    ShippedTable,
    address,
    address_rows,
    currency_row,
    owner_row,
    table_mapping,
    text,
)

COMPANIES = ("CUSTOMER", "VENDOR")

CONTACT = ShippedTable(
    table=Table(
        "contact",
        metadata,
        Column("no", String(20), primary_key=True, info={"caption": "No."}),
        text("type", 10, "Type"),
        text("company_type", 20, "Company Type"),
        text("company_no", 20, "Company No."),
        text("first_name", 50, "First Name"),
        text("middle_name", 50, "Middle Name"),
        text("surname", 50, "Surname"),
        text("salutation_code", 100, "Salutation Code"),
        *address(),
        text("phone_no", 50, "Phone No."),
        text("mobile_phone_no", 50, "Mobile Phone No."),
        text("pager", 50, "Pager"),
        text("e_mail", 100, "E-Mail"),
        text("fax_no", 50, "Fax No."),
        text("home_page", 200, "Home Page"),
        text("currency_code", 10, "Currency Code"),
        text("salesperson_code", 20, "Salesperson Code"),
    ),
    caption="Contact",
    key="no",
    named_by=("first_name", "surname"),
    series=NumberSeries("CT", 6),
    mapping=table_mapping(
        "CONTACT",
        ("contact", "contact"),
        B,
        (
            owner_row(1, "salesperson_code"),
            FieldMapping(2, "company_no", "parentcustomerid", conversion=Conversion.LOOKUP, related=COMPANIES),
            FieldMapping(
                3, "company_type", "parentcustomerid", F, conversion=Conversion.LOOKUP_TABLE, related=COMPANIES
            ),
            FieldMapping(4, "type", None, F, constant="Person"),
            FieldMapping(10, "first_name", "firstname"),
            FieldMapping(11, "middle_name", "middlename"),
            FieldMapping(12, "surname", "lastname"),
            *address_rows(13),
            currency_row(19),
            FieldMapping(20, "e_mail", "emailaddress1"),
            FieldMapping(21, "fax_no", "fax"),
            FieldMapping(22, "home_page", "websiteurl"),
            FieldMapping(23, "mobile_phone_no", "mobilephone"),
            FieldMapping(24, "pager", "pager"),
            FieldMapping(25, "phone_no", "telephone1"),
            FieldMapping(26, "salutation_code", "salutation", is_enabled=False),
        ),
        (
            "type = 'Person' and company_no is not empty",
            f"statecode = 0 and parentcustomerid is not empty and parentcustomeridtype = 'account' and {OWN_OR_EMPTY}",
        ),
        depends_on=COMPANIES,
    ),
)
