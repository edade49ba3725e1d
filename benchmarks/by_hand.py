"""Ceiling 2: what people write by hand: Flask, SQLAlchemy, one committed upsert a request."""

from __future__ import annotations

import os
from contextlib import suppress

from flask import Flask, request
from sqlalchemy import Column, MetaData, String, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, ProgrammingError

from receiver.store.database import Database

app = Flask(__name__)
database = Database(os.environ["RECEIVER_DATABASE_URL"], pool_size=20)
mirror = Table("mirror", MetaData(), Column("id", String(36), primary_key=True), Column("name", String(160)))
with suppress(IntegrityError, ProgrammingError):  # another process of the server made it at the same moment
    mirror.metadata.create_all(database.engine)
insert = (sqlite if database.is_sqlite else postgresql).insert


@app.post("/dataverse/notifications")
def notifications() -> tuple[dict[str, str], int]:
    context = request.get_json()
    target = context["InputParameters"][0]["value"]
    values = {pair["key"]: pair["value"] for pair in target["Attributes"]}
    statement = insert(mirror).values(id=target["Id"], name=values["name"])
    statement = statement.on_conflict_do_update(index_elements=["id"], set_={"name": statement.excluded.name})
    with database.writing() as connection:
        connection.execute(statement)
    return {"status": "stored"}, 202
