"""Salesperson/Purchaser ← systemuser."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from receiver.core.mapping import FieldMapping
from receiver.store.models import metadata
from receiver.tables.shipped import F, NumberSeries, ShippedTable, table_mapping, text

SALESPERSON = ShippedTable(
    table=Table(
        "salesperson",
        metadata,
        Column("code", String(20), primary_key=True, info={"caption": "Code"}),
        text("name", 200, "Name"),
        text("e_mail", 100, "E-Mail"),
        text("e_mail_2", 100, "E-Mail 2"),
        text("phone_no", 64, "Phone No."),
        text("job_title", 100, "Job Title"),
    ),
    caption="Salesperson",
    key="code",
    named_by=("name",),
    series=NumberSeries("SP NO. ", 5),
    mapping=table_mapping(
        "SALESPEOPLE",
        ("salesperson", "systemuser"),
        F,
        (
            FieldMapping(1, "name", "fullname", F),
            FieldMapping(2, "e_mail", "internalemailaddress", F),
            FieldMapping(3, "phone_no", "mobilephone", F),
            FieldMapping(4, "job_title", "jobtitle", F, is_enabled=False),
            FieldMapping(5, "e_mail_2", "personalemailaddress", F, is_enabled=False),
        ),
        ("", "isdisabled = no and islicensed = yes and isintegrationuser = no"),
    ),
)
