"""What Business Central's own integration solution brings into an environment. Source: BC table CRM NAV Connection."""

from __future__ import annotations

from receiver.sandbox.table import Table, audit, guid, text


def business_central_tables() -> list[Table]:
    columns = [guid("nav_connectionid", "cr"), text("nav_name"), text("nav_dynamicsnavurl", 250), *audit()]
    return [
        Table(
            "nav_connection",
            "nav_connections",
            "nav_connectionid",
            "nav_name",
            tuple(columns),
            object_type_code=10400,
            tracks_changes=False,
            notifies=False,
        )
    ]
