"""e) A click on *Business Central* that creates the record: our time beyond what Dataverse takes to be read."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import requests

from benchmarks.bench import Bench
from benchmarks.company import company
from benchmarks.figures import percentile
from benchmarks.servers import DOOR, OPEN_TOKEN, new_database, row_reads, serving
from receiver.dataverse.web_api import HEADERS
from receiver.sandbox import Sandbox

#: connections, tokens and what does not change are fetched by these
FIRST_CLICKS = 10
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"}


@dataclass(frozen=True)
class Click:
    """In ms; `reading` is what the very reads of the click take by hand, right after it."""

    total: float
    reading: float
    reads: int


def measure(bench: Bench) -> dict[str, float]:
    names = [f"Firm {number}" for number in range(FIRST_CLICKS + bench.sizes.clicks)]
    rows = [bench.sandbox.create("account", {"name": name, "customertypecode": 3}, deliver=False) for name in names]
    with new_database(bench) as url, company(url), serving(DOOR, url) as server:
        root = f"http://127.0.0.1:{server.port}"
        with _signed_in(root) as person, _program(bench.sandbox) as program:
            clicks = [_click(bench.sandbox, person, program, f"{root}/open/account/{row}") for row in rows]
    clicks = clicks[FIRST_CLICKS:]
    beyond = [one.total - one.reading for one in clicks]
    return {
        "click in all, p50 in ms": percentile([one.total for one in clicks], 0.5),
        "its reads by hand, p50 in ms": percentile([one.reading for one in clicks], 0.5),
        "Web API reads a click": sum(one.reads for one in clicks) / len(clicks),
        "click beyond its reads, p50 in ms": percentile(beyond, 0.5),
        "click beyond its reads, p95 in ms": percentile(beyond, 0.95),
    }


def _click(sandbox: Sandbox, person: requests.Session, program: requests.Session, link: str) -> Click:
    sandbox.organization.requests.clear()
    total, answer = _timed(person, link)
    if not answer.headers.get("Location", "").startswith("/records/CUSTOMER/"):
        raise SystemExit(f"A click created no record; it answered {answer.status_code}.")
    paths = row_reads(sandbox)
    return Click(total, sum(_timed(program, f"{sandbox.api_url}{path}")[0] for path in paths), len(paths))


def _timed(session: requests.Session, url: str) -> tuple[float, requests.Response]:
    begun = time.perf_counter()
    answer = session.get(url, allow_redirects=False)
    taken = 1000 * (time.perf_counter() - begun)
    if answer.status_code >= 400:
        raise SystemExit(f"A click or a read answered {answer.status_code}.")
    return taken, answer


def _signed_in(root: str) -> requests.Session:
    session = _kept_connection()
    form = session.get(f"{root}/sign-in").text
    proof = re.findall(r'name="csrf_token" value="([^"]+)"', form)[0]
    session.post(f"{root}/sign-in", data={"token": OPEN_TOKEN, "csrf_token": proof}, allow_redirects=False)
    session.headers.update(NAVIGATION)
    return session


def _program(sandbox: Sandbox) -> requests.Session:
    session = _kept_connection()
    session.verify = str(sandbox.ca_file)
    token = sandbox.organization.tokens.issue()
    session.headers.update({**HEADERS, "Authorization": f"Bearer {token}", "If-None-Match": "null"})
    return session


def _kept_connection() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session
