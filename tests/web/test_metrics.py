"""Metrics: who may ask, what is there, and that several processes are told of together."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

import pytest
from company import Company
from inbox.sending import METRICS_TOKEN, Door
from inbox.test_real_server import serving

from receiver.core import measured
from receiver.server.metrics_server import answering
from receiver.web.counters import COUNTERS, HISTOGRAMS, PrometheusSink
from receiver.web.metrics import text

ROOT = Path(__file__).parents[2]
BEARER = {"Authorization": f"Bearer {METRICS_TOKEN}"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer guessed"}, {"Authorization": "Bearer "}])
def test_without_the_token_nothing_is_told(sqlite_url: str, headers: dict[str, str]) -> None:
    with closing(Door(sqlite_url)) as door:
        answer = door.client.get("/metrics", headers=headers)
        assert answer.status_code == 403
        assert "RECEIVER_METRICS_TOKEN" in answer.text
        assert set(door.client.get("/health/ready", headers=headers).get_json()) == {"status"}


def test_without_a_token_set_no_token_opens(sqlite_url: str) -> None:
    with closing(Door(sqlite_url, RECEIVER_METRICS_TOKEN="")) as door:
        assert door.client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    with closing(Door(f"sqlite:///{tmp_path}/none.sqlite")) as door:
        answer = door.client.get("/metrics", headers=BEARER)
        assert (answer.status_code, "receiver_database_up 0.0" in answer.text) == (200, True)


def test_several_processes_are_told_of_together(postgresql_url: str, tmp_path: Path) -> None:
    import requests

    with serving(postgresql_url, tmp_path, RECEIVER_METRICS_TOKEN=METRICS_TOKEN, RECEIVER_WEB_PROCESSES="3") as server:
        for _ in range(40):
            assert server.post().status_code == 202
        told = requests.get(f"http://127.0.0.1:{server.port}/metrics", headers=BEARER, timeout=20).text
    assert re.search(r"^receiver_notifications_received_total 40\.0$", told, re.MULTILINE)
    assert re.search(r"^receiver_notifications_acknowledged_total 40\.0$", told, re.MULTILINE)


def test_a_worker_answers_at_an_address_of_its_own(company: Company) -> None:
    import requests
    from inbox.test_real_server import free_port

    port, sink = free_port(), PrometheusSink()
    with answering(f"127.0.0.1:{port}", company.services, sink):
        base = f"http://127.0.0.1:{port}"
        assert "receiver_database_up 1.0" in requests.get(f"{base}/metrics", timeout=10).text
        assert "in_step" in requests.get(f"{base}/health/ready", timeout=10).json()
        assert requests.get(f"{base}/health/live", timeout=10).status_code == 200
        assert requests.get(f"{base}/nothing", timeout=10).status_code == 404


def names(company: Company) -> set[str]:
    """Every metric that a scrape has once something has happened."""
    sink = PrometheusSink()
    for name, (_, labels) in COUNTERS.items():
        sink.count(name, dict.fromkeys(labels, "x"), 1)
    for name, (_, labels, _) in HISTOGRAMS.items():
        sink.took(name, dict.fromkeys(labels, "x"), 1.0)
    said = text(company.services, sink).decode()
    return set(re.findall(r"^(receiver_\w+?)(?:\{.*\})? ", said, re.MULTILINE)) | set(
        re.findall(r"^# TYPE (receiver_\w+) ", said, re.MULTILINE)
    )


def test_every_metric_that_the_dashboard_and_the_alert_rules_name_exists(company: Company) -> None:
    dashboard = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    asked += re.findall(r"expr: (.+)", (ROOT / "deploy/prometheus-alerts.yaml").read_text())
    wanted = {name for one in asked for name in re.findall(r"receiver_\w+", one)}
    assert wanted
    assert wanted <= names(company)


def test_nothing_is_counted_where_nobody_keeps_it() -> None:
    measured.count("notifications_received")
    measured.took("notification_seconds", 1.0)
