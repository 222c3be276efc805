# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's browser: Chromium with an empty profile that trusts the cluster's authority."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

# Nothing but the pages under test is to be asked for.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync")


@contextmanager
def opened(home: Path, authority: Path) -> Iterator[Page]:
    """A page of a new browser; certificates are verified, by the authority alone."""
    trust(home, authority)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", *QUIET],
            env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        )
        try:
            page = browser.new_page(viewport={"width": 1200, "height": 800})
            page.set_default_timeout(60_000)
            yield page
        finally:
            browser.close()


def trust(home: Path, authority: Path) -> None:
    """Put the authority where Chromium of this home looks for its own."""
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True, exist_ok=True)
    database = ["-d", f"sql:{store}"]
    for command in (
        ["certutil", *database, "-N", "--empty-password"],
        ["certutil", *database, "-A", "-n", "cluster", "-t", "C,,", "-i", str(authority)],
    ):
        subprocess.run(command, check=True, capture_output=True)
