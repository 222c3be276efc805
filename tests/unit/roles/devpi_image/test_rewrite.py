# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs write by themselves, as lines of a JSON log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from devpi_image.rewrite import Rewriter, lines_of, nginx_line, output_for

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "level", "message"),
    [
        (
            '2026/01/31 12:00:00 [error] 7#7: *1 no "a" here, client: 127.0.0.1',
            "ERROR",
            '*1 no "a" here, client: 127.0.0.1',
        ),
        ("2026/01/31 12:00:00 [warn] 7#8: slow", "WARNING", "slow"),
        ("nginx: [emerg] bind() to 0.0.0.0:80 failed", "CRITICAL", "bind() to 0.0.0.0:80 failed"),
        ("2026/01/31 12:00:00 [unheard] 7#7: of", "INFO", "of"),
        ("no line of a log [error] 1#1: x", "INFO", "no line of a log [error] 1#1: x"),
    ],
)
def test_a_line_of_nginx(line: str, level: str, message: str) -> None:
    assert json.loads(nginx_line(line, NOW)) == {
        "time": "2026-01-31T12:00:00.000+00:00",
        "level": level,
        "service": "nginx",
        "message": message,
    }


@pytest.mark.parametrize("line", ["plain", "7", '{"half', '["list"]', ""])
def test_what_is_no_object_becomes_one(line: str) -> None:
    found = json.loads(lines_of("devpi-import")(line, NOW))
    assert (found["service"], found["message"]) == ("devpi-import", line)


def test_an_object_stays_as_it_is() -> None:
    assert lines_of("devpi-server")('{"level": "INFO"}', NOW) == '{"level": "INFO"}'


def test_the_last_words_come_before_what_is_said_of_the_end(
    capfd: pytest.CaptureFixture[str],
) -> None:
    rewriter = Rewriter(lambda line, _: f"<{line}>")
    program = "import sys; sys.stderr.buffer.write(b'one\\ntw\\xff\\nno end')"
    subprocess.run([sys.executable, "-c", program], stderr=rewriter.target, check=True)
    rewriter.handed_over()
    rewriter.finish()
    assert capfd.readouterr().err == "<one>\n<tw\N{REPLACEMENT CHARACTER}>\n<no end>\n"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_program_that_ends_by_itself(
    form: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEVPI_LOG_FORMAT", form)
    with output_for("devpi-init") as output:
        assert (output is None) == (form == "text")
        subprocess.run(["echo", "said"], stdout=output, check=True)
        os.write(output or 1, b"more\n")
    said = "".join(capfd.readouterr())
    if form == "json":
        said = "\n".join(json.loads(line)["message"] for line in said.splitlines())
    assert said.split() == ["said", "more"]
