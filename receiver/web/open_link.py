"""The button's link: the local record of a Dataverse row, opened, offered, created, or refused in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeSerializer

from receiver.commands.synchronizing.open_record import Busy, MayCreate, Offered, Opened, open_record
from receiver.core.decision import Reason
from receiver.core.values import guid
from receiver.engine.wording import Settled
from receiver.engine.work import Chosen, Offer
from receiver.errors import NotFoundError, ReceiverError
from receiver.store.local_tables import columns_of
from receiver.tables import BY_NAME
from receiver.web import application
from receiver.web.sign_in import person, person_id, signed_in

doors = Blueprint("web", __name__)

#: reasons of mappings that are for other rows
NOT_MEANT = frozenset(
    one.name for one in (Reason.OUTSIDE_FILTER, Reason.OTHER_COMPANY, Reason.MAPPING_IS_OFF, Reason.DIRECTION)
)

#: Business Central's own button: page 5329 with this in its filter
_CRM_FILTER = re.compile(r"CRMID:(\{[0-9a-f-]{36}\}|[0-9a-f-]{36});\s*CRMType:(\w+)", re.IGNORECASE)


@doors.get("/")
def start() -> ResponseReturnValue:
    """Microsoft's own button calls Business Central's page 5329; without its filter this is the front door."""
    text = unquote(request.query_string.decode("utf-8", "replace")).replace("+", " ")
    found = _CRM_FILTER.search(text)
    if found:
        return open_page(found[2].lower(), found[1])
    return redirect(url_for("admin.mappings"))


@doors.route("/open/<table>/<row_id>", methods=["GET", "POST"])
@signed_in
def open_page(table: str, row_id: str) -> ResponseReturnValue:
    """The local record of a Dataverse row. A GET creates only as a top-level navigation."""
    id_ = guid(row_id)
    context: dict[str, Any] = {"table": table, "row_id": id_ or row_id}
    context["sales"] = application.sales_address(table, id_) if id_ else ""
    if id_ is None:
        return render_template("open.html", trouble=f"“{row_id}” is not a row's id (a guid).", **context), 404
    try:
        answer = open_record(
            application.services(),
            table.lower(),
            id_,
            may_create=_is_meant(),
            chosen=_chosen(id_),
            creates_new="create_new" in request.form,
        )
    except BadSignature:
        trouble = (
            "This choice was not offered to you for this row, or you signed in anew since. Look again, then choose."
        )
        return render_template("open.html", trouble=trouble, **context), 400
    except NotFoundError as error:
        return render_template("open.html", trouble=str(error), **context), 404
    except ReceiverError as error:
        return render_template("open.html", trouble=str(error), **context), 503
    if isinstance(answer, Opened):
        return _to_record(answer)
    if isinstance(answer, MayCreate | Offered | Busy):
        return render_template("open.html", answer=answer, kind=type(answer).__name__, **OFFERING, **context)
    status = 404 if answer.is_gone else 409
    if not answer.outcomes:  # Dataverse or the database did not answer: the choice stands
        context["couple_with"] = request.form.get("couple_with", "")
    outcomes = _that_could_apply(answer.outcomes)
    return render_template("open.html", answer=answer, outcomes=outcomes, kind="Refused", **context), status


def _signer() -> URLSafeSerializer:
    assert current_app.secret_key is not None  # sign_in.init_app sets it
    return URLSafeSerializer(current_app.secret_key, salt="offer")


def signed(offer: Offer, row_id: str) -> str:
    """The offer as the page's button sends it back: of this person, for this row, as it is shown."""
    return str(_signer().dumps([person_id(), row_id, offer.mapping, offer.key, offer.digest]))


def _changes(offer: Offer) -> list[tuple[str, Any, Any]]:
    """Caption, value before and value after of what the offer overwrites."""
    with application.services().database.reading() as connection:
        mapping = application.services().mappings(connection)[offer.mapping]
    columns = columns_of(BY_NAME[mapping.local_table].table)
    return [(columns[name].caption, before, after) for name, (before, after) in offer.fields.items()]


#: what the page needs of an offer
OFFERING = {"signed": signed, "changes": _changes}


def _chosen(row_id: str) -> Chosen | None:
    """Raises: BadSignature for what was not offered to this person for this row."""
    text = request.form.get("couple_with", "")
    if not text:
        return None
    by, offered_for, *chosen = _signer().loads(text)
    if (by, offered_for) != (person_id(), row_id):
        raise BadSignature("offered to somebody else, or for another row")
    return Chosen(*chosen)


def _that_could_apply(outcomes: Sequence[Settled]) -> Sequence[Settled]:
    """Of several mappings a salesperson reads of those that are meant for such a row; an administrator of all."""
    someone = person()
    meant = [one for one in outcomes if one.reason not in NOT_MEANT]
    return outcomes if (someone and someone.is_admin) or not meant else meant


def _is_meant() -> bool:
    """A button that posts, or a person's own navigation: no frame, no preview that a browser fetches ahead."""
    headers = request.headers
    is_navigation = headers.get("Sec-Fetch-Mode") == "navigate" and "Sec-Purpose" not in headers
    is_own_page = is_navigation and headers.get("Sec-Fetch-Dest", "document") == "document"
    return request.method == "POST" or (request.method == "GET" and is_own_page)


def _to_record(opened: Opened) -> ResponseReturnValue:
    if opened.banner:
        flash(opened.banner, "warning")
    if opened.done:
        flash(opened.done, "success")
    template = application.settings().open_url
    if template:
        values = {"mapping": opened.mapping, "table": opened.local_table, "key": opened.key}
        return redirect(template.format_map({name: quote(value, safe="") for name, value in values.items()}))
    return redirect(url_for("admin.record", mapping=opened.mapping, key=opened.key))
