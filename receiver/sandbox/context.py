"""The execution context: the values a notification's body is made of, named as in Microsoft's SDK.

Source: learn, Microsoft.Xrm.Sdk.RemoteExecutionContext and the classes its parameters hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

NO_ID = "00000000-0000-0000-0000-000000000000"
Bag = tuple[tuple[str, Any], ...]
"""A property bag: pairs of key and value, in the order they are written."""


@dataclass(frozen=True)
class EntityReference:
    Id: str
    LogicalName: str
    Name: str | None = None
    RowVersion: str | None = None
    KeyAttributes: Bag = ()


@dataclass(frozen=True)
class OptionSetValue:
    Value: int


@dataclass(frozen=True)
class Money:
    Value: Decimal


@dataclass(frozen=True)
class BooleanManagedProperty:
    Value: bool
    CanBeChanged: bool = True
    ManagedPropertyLogicalName: str | None = None


@dataclass(frozen=True)
class AliasedValue:
    """A column of another table, as a query with a join brings it."""

    AttributeLogicalName: str
    EntityLogicalName: str
    Value: Any
    NeedFormatting: bool = False
    ReturnType: int = 0


@dataclass(frozen=True)
class Relationship:
    SchemaName: str
    PrimaryEntityRole: int | None = None


@dataclass(frozen=True)
class KeyValuePair:
    """.NET's KeyValuePair of two strings, as ChangedEntityTypes holds them."""

    key: str
    value: str


@dataclass(frozen=True)
class WireDate:
    """Milliseconds since 1970 in UTC, and the offset that is printed behind them, if any."""

    milliseconds: int
    offset: str = ""


@dataclass(frozen=True)
class Entity:
    """A row on the wire: all columns of a Create, the submitted ones of an Update, or an image's."""

    LogicalName: str
    Id: str
    Attributes: Bag
    FormattedValues: Bag = ()
    RowVersion: str | None = None
    KeyAttributes: Bag = ()
    EntityState: int | None = None
    RelatedEntities: Bag = ()


@dataclass(frozen=True)
class EntityCollection:
    EntityName: str | None
    Entities: tuple[Entity, ...]
    MinActiveRowVersion: str | None = None
    MoreRecords: bool = False
    PagingCookie: str | None = None
    TotalRecordCount: int = 0
    TotalRecordCountLimitExceeded: bool = False


@dataclass(frozen=True)
class ExecutionContext:
    """One message as a step sees it.

    The three members that default to None are younger than some senders; left None they are left out.
    """

    MessageName: str
    PrimaryEntityName: str
    PrimaryEntityId: str
    Mode: int
    Stage: int
    OrganizationId: str
    OrganizationName: str
    BusinessUnitId: str
    UserId: str
    InitiatingUserId: str
    CorrelationId: str
    OperationId: str
    RequestId: str | None
    OperationCreatedOn: WireDate
    OwningExtension: EntityReference
    Depth: int = 1
    InitiatingUserAgent: str | None = None
    InitiatingUserAzureActiveDirectoryObjectId: str | None = None
    UserAzureActiveDirectoryObjectId: str | None = None
    InputParameters: Bag = ()
    OutputParameters: Bag = ()
    PreEntityImages: Bag = ()
    PostEntityImages: Bag = ()
    SharedVariables: Bag = ()
    ParentContext: ExecutionContext | None = field(default=None, repr=False)
    IsExecutingOffline: bool = False
    IsInTransaction: bool = False
    IsOfflinePlayback: bool = False
    IsolationMode: int = 1
    SecondaryEntityName: str = "none"
