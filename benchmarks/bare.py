"""Ceiling 1: bare Flask that only parses the JSON."""

from __future__ import annotations

import json

from flask import Flask, request

app = Flask(__name__)


@app.post("/dataverse/notifications")
def notifications() -> tuple[dict[str, str], int]:
    json.loads(request.get_data())
    return {"status": "parsed"}, 202
