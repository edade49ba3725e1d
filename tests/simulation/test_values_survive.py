"""A value says the same after wire → value → SQL → value → wire, on both databases and from both of Dataverse's doors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from receiver.core.message import Row
from receiver.core.values import Column, ColumnType, Opaque, Reference, Value, from_plain, same, to_plain
from receiver.dataverse.columns import FROM_JSON, KINDS, from_message, from_web_api, to_web_api
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.dataverse.web_api import dumps
from receiver.sandbox import exact_json, wire
from receiver.sandbox.context import Entity, EntityReference, ExecutionContext, Money, OptionSetValue, WireDate
from receiver.schemas.execution_context import read_context, read_envelope
from receiver.store.database import Database
from receiver.store.types import Amount, Moment, Number
from receiver.tables import TABLES

ID = "a0000000-0000-4000-8000-000000000001"
T = ColumnType

#: neither PostgreSQL nor UTF-8 has a place for a NUL or for half of a surrogate pair
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=160) | st.sampled_from(
    ["/Date(1700000000000)/", "3", ID, "O'Neill", " "]
)
moments = st.datetimes(datetime(1753, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC)).map(  # noqa: DTZ001  # hypothesis adds the zone
    lambda moment: moment.replace(microsecond=0)
)
references = st.uuids().map(lambda id_: Reference("account", str(id_)))
VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    T.TEXT: texts,
    T.MEMO: texts,
    T.INTEGER: st.integers(-(2**31), 2**31 - 1),
    T.BIG_INTEGER: st.integers(-(2**63), 2**63 - 1),
    T.DECIMAL: st.decimals(-(10**11), 10**11, places=10),
    T.DOUBLE: st.decimals(-(10**11), 10**11, places=5),
    T.MONEY: st.decimals(-922337203685477, 922337203685477, places=4),
    T.BOOLEAN: st.booleans(),
    T.CHOICE: st.integers(0, 2**31 - 1),
    T.STATE: st.integers(0, 10),
    T.STATUS: st.integers(0, 2**31 - 1),
    T.CHOICES: st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=5, unique=True).map(tuple),
    T.DATETIME: moments,
    T.DATE: st.dates(date(1753, 1, 1), date(9999, 12, 30)),
    T.LOOKUP: references,
    T.GUID: st.uuids().map(str),
}
#: how a company's table holds each; what has no SQL type of its own stands in a base, as JSON
SQL: dict[ColumnType, Any] = {
    T.TEXT: sa.String(500),
    T.MEMO: sa.Text(),
    T.INTEGER: sa.Integer(),
    T.BIG_INTEGER: Number,
    T.DECIMAL: Amount(),
    T.DOUBLE: Amount(),
    T.MONEY: Amount(),
    T.BOOLEAN: sa.Boolean(),
    T.CHOICE: sa.Integer(),
    T.STATE: sa.Integer(),
    T.STATUS: sa.Integer(),
    T.CHOICES: sa.JSON(),
    T.DATETIME: Moment(),
    T.DATE: sa.Date(),
    T.LOOKUP: sa.JSON(),
    T.GUID: sa.String(36),
}
AS_JSON = {T.CHOICES, T.LOOKUP}
TABLE = sa.Table("survival", sa.MetaData(), *(sa.Column(type_.lower(), SQL[type_]) for type_ in T))


def column_of(type_: ColumnType) -> Column:
    navigation = {"account": "parent"} if type_ is T.LOOKUP else {}
    return Column(type_.lower(), type_, navigation=navigation)


def through_the_webhook(column: Column, value: Value) -> Value:
    """As the sandbox's serializer, which reproduces real captures byte for byte, writes it and the schema reads it."""
    given = Entity("account", ID, ((column.name, _on_the_wire(column.type, value)),))
    nothing = EntityReference(ID, "sdkmessageprocessingstep")
    moment = WireDate(0, "+0000")
    sent = ExecutionContext(
        "Update", "account", ID, 1, 40, ID, "unq", ID, ID, ID, ID, ID, None, moment, nothing,
        InputParameters=(("Target", given),),
    )  # fmt: skip
    context = read_context(read_envelope(wire.body(sent)))
    assert not context.defects
    row = context.parameters["Target"]
    assert isinstance(row, Row)
    return from_message(column, row.values[column.name])


def _on_the_wire(type_: ColumnType, value: Any) -> Any:
    match type_, value:
        case ((T.CHOICE | T.STATE | T.STATUS), int()):
            return OptionSetValue(value)
        case T.CHOICES, tuple():
            return tuple(map(OptionSetValue, value))
        case T.MONEY, Decimal():
            return Money(value)
        case ((T.DECIMAL | T.DOUBLE), Decimal()) if value == value.to_integral_value():
            return int(value)  # whole numbers come without a point
        case T.DATE, date():
            return WireDate(int(datetime.combine(value, time(), UTC).timestamp() * 1000), "+0530")
        case T.DATETIME, datetime():
            return WireDate(int(value.timestamp() * 1000))
        case T.LOOKUP, Reference():
            return EntityReference(value.id, value.table)
    return value


def through_the_web_api(column: Column, value: Value) -> Value:
    """As a row of the Web API says it, and as our client reads it."""
    return from_web_api(column, json.loads(exact_json.dumps(_as_row(column, value)), parse_float=Decimal))


def _as_row(column: Column, value: Any) -> dict[str, Any]:
    if isinstance(value, Reference):
        name = f"_{column.name}_value"
        return {name: value.id, f"{name}@Microsoft.Dynamics.CRM.lookuplogicalname": value.table}
    if isinstance(value, datetime):
        return {column.name: value.strftime("%Y-%m-%dT%H:%M:%SZ")}
    if isinstance(value, date):
        return {column.name: value.isoformat()}
    return {column.name: ",".join(map(str, value)) if isinstance(value, tuple) else value}


def written(column: Column, value: Value) -> Any:
    """The member of the body that our client sends, as the other end reads it."""
    name, told = to_web_api(column, value)
    return exact_json.loads(dumps({name: told}))[name]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    with opened.writing() as connection:
        TABLE.metadata.create_all(connection)
    yield opened
    opened.dispose()


def through_sql(database: Database, type_: ColumnType, value: Value) -> Value:
    name = type_.lower()
    kept = to_plain(value) if type_ in AS_JSON else value
    with database.writing() as connection:
        connection.execute(TABLE.delete())
        connection.execute(TABLE.insert().values({name: kept}))
        found = connection.execute(sa.select(TABLE.c[name])).scalar_one()
    return from_plain(found) if type_ in AS_JSON else found


@pytest.mark.parametrize("type_", list(T))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_a_value_survives_the_way_in_and_out_again(database, type_, data):
    value = data.draw(VALUES[type_])
    column = column_of(type_)
    for read in (through_the_webhook(column, value), through_the_web_api(column, value)):
        assert same(read, value)
        assert type(read) is KINDS[type_]
        kept = through_sql(database, type_, read)
        assert same(kept, value)
        assert type(kept) is KINDS[type_]
        back = _read_back(column, kept)
        assert same(back, value)


def _read_back(column: Column, kept: Value) -> Value:
    """What Dataverse would answer if it kept what we send."""
    told = written(column, kept)
    if column.type is T.LOOKUP:
        assert isinstance(kept, Reference)
        assert told == f"/accounts({kept.id})"
        return kept
    return from_web_api(column, {column.name: told})


@pytest.mark.parametrize("type_", list(T))
def test_an_empty_value_survives_too(database, type_):
    column = column_of(type_)
    assert through_the_webhook(column, None) is None
    assert through_the_web_api(column, None) is None
    assert through_sql(database, type_, None) is None
    assert written(column, None) is None


MISFITS = [
    (T.TEXT, 5),
    (T.INTEGER, True),
    (T.INTEGER, "5"),
    (T.BOOLEAN, 1),
    (T.MONEY, True),
    (T.LOOKUP, ID),
    (T.DATE, "2026-01-01"),
    (T.CHOICE, Opaque("{}")),
    (T.TEXT, Opaque("{}")),
]


@pytest.mark.parametrize(("type_", "value"), MISFITS, ids=repr)
def test_a_value_that_its_column_cannot_hold_is_refused_and_never_taken_for_empty(type_, value):
    with pytest.raises(ValueError, match=f"stands in {type_.lower()}, which is of type {type_}"):
        from_message(column_of(type_), value)


def test_every_column_type_has_its_case_at_both_edges_and_here():
    assert set(VALUES) == set(SQL) == set(KINDS) == set(T)
    assert set(FROM_JSON) == set(T) - {T.LOOKUP}


def test_every_column_that_a_shipped_mapping_reads_is_of_a_type_tested_here():
    read = {
        DATAVERSE_TABLES[shipped.mapping.dataverse_table].columns[name].type
        for shipped in TABLES
        for name in shipped.mapping.dataverse_columns()
    }
    assert read <= set(VALUES)
