# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON from devpi-server's own log: `logging` finds the class by its name, see `server_logging`."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from devpi_image.log import json_line


class JsonFormatter(logging.Formatter):
    """A line as the other parts of the container write it."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        time = datetime.fromtimestamp(record.created, UTC)
        return json_line(time, record.levelname, "devpi-server", message)
