"""The units for systemd, the alert rules and the composition, as far as their own tools can say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy").glob("*.service"))
#: what systemd calls medium begins at 5.0
MEDIUM = 5.0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
@pytest.mark.parametrize("unit", UNITS, ids=[one.name for one in UNITS])
def test_a_unit_is_sound_and_exposes_little(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name.replace("@", "@1")
    # the programs are installed elsewhere
    copy.write_text(re.sub(r"^(Exec\w+)=(?!/bin/kill)\S+", r"\1=/bin/true", unit.read_text(), flags=re.MULTILINE))
    verified = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    security = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(copy)]
    said = subprocess.run(security, capture_output=True, text=True, check=False).stdout
    exposure = re.search(r"Overall exposure level.*?: ([\d.]+)", said)
    assert exposure is not None
    assert float(exposure[1]) < MEDIUM


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed here")
def test_promtool_takes_the_alert_rules() -> None:
    rules = str(ROOT / "deploy/prometheus-alerts.yaml")
    said = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def test_every_alert_names_what_is_the_matter_and_stands_in_the_night_shift() -> None:
    rules = (ROOT / "deploy/prometheus-alerts.yaml").read_text()
    page = (ROOT / "docs/night-shift.md").read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert len(alerts) == len(re.findall(r"summary: \"[^\"]{40,}", rules))
    general = {"ReceiverNotInStep", "ReceiverInStepIsOld", "ReceiverDataverseErrors"}
    assert {one for one in alerts if one not in page} <= general


def test_the_composition_has_two_workers_a_proxy_and_a_place_for_the_settings() -> None:
    composition = (ROOT / "compose.yaml").read_text()
    for said in ("replicas: 2", "image: caddy", "RECEIVER_SETTINGS_FILE: /data/settings.env", "steps register"):
        assert said in composition
    assert "encode zstd gzip" in (ROOT / "deploy/Caddyfile").read_text()
