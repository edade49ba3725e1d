"""How our programs write their logs: one line an event, with time, level and subject; no library's chatter."""

from __future__ import annotations

import logging
import time

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


def configure(level: int = logging.INFO) -> None:
    """Our own events and whatever is worse than a warning, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in CHATTER:
        logging.getLogger(name).setLevel(logging.ERROR)
