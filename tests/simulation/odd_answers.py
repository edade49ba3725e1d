"""What may come instead of Dataverse's answer, or after the request was carried out and its own answer got lost."""

from __future__ import annotations

from receiver.sandbox import Answer

PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>"
SOMEBODY = "5e000000-0000-4000-8000-000000000001"


def half(body: bytes) -> bytes:
    return body[: len(body) // 2]


#: none of them says anything of a record
STRANGE = {
    "a proxy's 404": Answer(404, "<html><body>404 Not Found</body></html>"),
    "a 404 without a word": Answer(404),
    "a 404 of another address": Answer.error(404, "0x80060888", "Resource not found for the segment 'accounts'."),
    "a 404 of another row": Answer.error(404, "0x80040217", f"systemuser With Id = {SOMEBODY} Does Not Exist"),
    "a 404 of a key": Answer.error(404, "0x80060891", "A record with the specified key values does not exist."),
    "out of sight": Answer.error(403, "0x80048306", "Principal user is missing ReadAccess."),
    "a page": Answer(200, PAGE),
    "a redirect": Answer(302, PAGE),
    "a gateway's page": Answer(502, PAGE),
    "a page that refuses": Answer(403, PAGE),
    "a time-out of SQL": Answer.error(500, "0x80044151", "SQL timeout expired."),
    "something unexpected": Answer.error(500, "0x80040216", "An unexpected error occurred."),
    "nothing there": Answer(503),
    "a time-out": Answer(408),
    "administration mode": Answer.error(403, "0x8004a113", "The organization is in administration mode."),
    "disabled for now": Answer.error(400, "0x8004a104", "The organization is disabled."),
    "a disabled user": Answer.error(403, "0x80040225", "The specified user is disabled."),
    "not signed in": Answer(401),
    "a pause until 2099": Answer(429, headers={"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}),
    "a pause of no length": Answer(429, headers={"Retry-After": "nan"}),
    "a lost race": Answer.error(412, "0x80060882", "The version of the existing record doesn't match."),
    "a 412 without a code": Answer.error(412, "", "Precondition failed."),
    "no content": Answer(204),
    "half of it": Answer(0, change=half),
    "done, then a gateway": Answer(504, is_done=True),
    "done, then a page": Answer(200, PAGE, is_done=True),
    "done, then a time-out": Answer.error(500, "0x80044151", "SQL timeout expired.", is_done=True),
}
#: these end the connection, which a request inside a batch does not have
HANGING_UP = {"nothing at all": Answer(0), "done, then nothing at all": Answer(0, is_done=True)}
ODD = STRANGE | HANGING_UP
METHODS = ("", "GET", "PATCH", "POST")
#: switches of the sandbox that are counts
COUNTED = (
    "too_many_requests",
    "unavailable",
    "lose_answer",
    "expired_token",
    "strip",
    "expired_secret",
    "no_application_user",
    "link_to_itself",
    "no_next_link",
    "no_delta_link",
    "no_representation",
    "batch_without_reason",
    "batch_line_ends_lf",
    "batch_cut_short",
    "batch_parts_missing",
)
