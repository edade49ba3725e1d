"""What people write by hand to fill a table: read page after page, insert each in one commit. Prints its seconds."""

from __future__ import annotations

import json
import os
import time

import requests
from sqlalchemy import insert

from benchmarks.accounts import COLUMNS
from receiver.store.database import Database
from receiver.tables import BY_NAME


def main() -> None:
    database, table = Database(os.environ["RECEIVER_DATABASE_URL"]), BY_NAME["customer"].table
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {os.environ['BENCH_TOKEN']}"
    session.headers["Prefer"] = "odata.maxpagesize=5000"
    page = f"{os.environ['RECEIVER_DATAVERSE_URL']}/api/data/v9.2/accounts"
    page += f"?$select={','.join(COLUMNS)}&$filter=statecode eq 0 and customertypecode eq 3"
    begun, count = time.perf_counter(), 0
    while page:
        answer = session.get(page, timeout=60).json()
        rows = []
        for row in answer["value"]:
            count += 1
            values = {ours: row[theirs] or "" for theirs, ours in COLUMNS.items()}
            rows.append({"no": f"C{count:07d}", **values})
        with database.writing() as connection:
            connection.execute(insert(table), rows)
        page = answer.get("@odata.nextLink")
    print(json.dumps({"rows": count, "seconds": time.perf_counter() - begun}))


main()
