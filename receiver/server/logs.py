"""How our programs write their logs: one line an event, with time, level and subject; no library's chatter."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from pythonjsonlogger.json import JsonFormatter

from receiver.core.visible import visible

#: libraries whose warnings say again what our own lines say, once for each try
CHATTER = ("urllib3", "msal", "werkzeug", "alembic")


class LineFormatter(logging.Formatter):
    """A line an event; what comes from outside cannot begin another. A traceback follows indented."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%d %H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:  # noqa: N802  # logging's name
        lines = super().formatException(ei).splitlines()  # type: ignore[arg-type]  # logging's own tuple
        return "\n".join(f"    {visible(line)}" for line in lines)


class JsonLineFormatter(JsonFormatter):
    """An object a line: time, level, subject, the same words, and a traceback."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "subject"},
            datefmt="%Y-%m-%dT%H:%M:%SZ",
        )


def formatter(log_format: str) -> logging.Formatter:
    return JsonLineFormatter() if log_format == "json" else LineFormatter()


def configure(settings: Mapping[str, str]) -> None:
    """Our own events and whatever is worse than a warning, to standard error; *settings* are the environment's.

    A setting that cannot be understood is told by whoever reads them all; until then lines are text.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(settings.get("RECEIVER_LOG_FORMAT", "")))
    level = logging.getLevelNamesMapping().get(settings.get("RECEIVER_LOG_LEVEL", "").upper(), logging.INFO)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in CHATTER:
        logging.getLogger(name).setLevel(logging.ERROR)
