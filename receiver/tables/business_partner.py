"""What customer and vendor have in common: both are accounts in Dataverse."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, String, false

from receiver.core.mapping import Conversion, FieldMapping
from receiver.tables.shipped import OWN_OR_EMPTY, B, T, address, address_rows, currency_row, text


def partner_columns() -> tuple[Column[Any], ...]:
    return (
        Column("no", String(20), primary_key=True, info={"caption": "No."}),
        text("name", 160, "Name"),
        text("contact", 100, "Contact"),
        *address(),
        text("phone_no", 50, "Phone No."),
        text("mobile_phone_no", 50, "Mobile Phone No."),
        text("e_mail", 100, "E-Mail"),
        text("fax_no", 50, "Fax No."),
        text("home_page", 200, "Home Page"),
        text("currency_code", 10, "Currency Code"),
        text("primary_contact_no", 20, "Primary Contact No."),
        text("payment_terms_code", 10, "Payment Terms Code"),
        text("shipment_method_code", 10, "Shipment Method Code"),
        text("shipping_agent_code", 10, "Shipping Agent Code"),
        text("blocked", 10, "Blocked"),
        Column(
            "privacy_blocked",
            Boolean,
            nullable=False,
            default=False,
            server_default=false(),
            info={"caption": "Privacy Blocked"},
        ),
    )


def partner_rows() -> tuple[FieldMapping, ...]:
    """Reference §11, CUSTOMER – account; options ship Disabled: codes of one's own need a table in the rule first."""
    options = (
        ("shipment_method_code", "address1_freighttermscode"),
        ("shipping_agent_code", "address1_shippingmethodcode"),
        ("payment_terms_code", "paymenttermscode"),
    )
    primary_contact = FieldMapping(
        27,
        "primary_contact_no",
        "primarycontactid",
        clear_value_on_failed_sync=True,
        conversion=Conversion.LOOKUP,
        related=("CONTACT",),
    )
    return (
        FieldMapping(10, "name", "name"),
        FieldMapping(11, "contact", "address1_primarycontactname"),
        *address_rows(12),
        currency_row(18),
        FieldMapping(19, "e_mail", "emailaddress1"),
        FieldMapping(20, "fax_no", "fax"),
        FieldMapping(21, "home_page", "websiteurl"),
        FieldMapping(22, "phone_no", "telephone1"),
        *(
            FieldMapping(23 + at, local, remote, B, is_enabled=False, conversion=Conversion.OPTION)
            for at, (local, remote) in enumerate(options)
        ),
        primary_contact,
        FieldMapping(28, "no", "accountnumber", T, is_enabled=False),
        FieldMapping(29, "mobile_phone_no", "telephone2", B, is_enabled=False),
    )


def partner_filter(relationship_type: int) -> str:
    return f"statecode = 0 and customertypecode = {relationship_type} and {OWN_OR_EMPTY}"


DEPENDS_ON = ("SALESPEOPLE", "CURRENCY")
