# SPDX-License-Identifier: GPL-3.0-or-later
"""Which role a run's time goes to, from the events of the callback ``ansible.posix.jsonl``."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

CALLBACK = "ansible.posix.jsonl"
AROUND = "(Ansible: start, plays, end)"
# Task files of role devpi that work for the role which includes them.
SHARED = ("apply.yaml", "apply_secrets.yaml", "diagnose.yaml")

Event = dict[str, Any]


@dataclass
class Share:
    """Wall seconds, and how many tasks were run or skipped in them."""

    seconds: float = 0.0
    tasks: int = 0


@dataclass(frozen=True)
class Task:
    """A task of the run: for which role, what, and how long it was until the next one began."""

    role: str
    name: str
    seconds: float


def shares(tasks: Iterable[Task], whole: float) -> dict[str, Share]:
    """Role -> share, largest first; what is left of ``whole`` seconds is Ansible's own."""
    found: dict[str, Share] = defaultdict(Share)
    for task in tasks:
        found[task.role].seconds += task.seconds
        found[task.role].tasks += 1
    found[AROUND].seconds += whole - sum(share.seconds for share in found.values())
    return dict(sorted(found.items(), key=lambda item: -item[1].seconds))


def tasks(output: str) -> Iterator[Task]:
    """The tasks of a run in their order; one lasts until the next task, play or the end."""
    role = AROUND
    marks = [event for event in events(output) if begins(event)]
    for event, following in pairwise(marks):
        if "task" in event:
            role = role_of(event["task"], role)
            yield Task(role, event["task"]["name"], moment(following) - moment(event))


def events(output: str) -> Iterator[Event]:
    """The lines that are events; warnings may stand between them."""
    for line in output.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def begins(event: Event) -> bool:
    """Whether a task or play begins or the run ends here."""
    return str(event["_event"]).endswith(("_start", "_on_stats"))


def moment(event: Event) -> float:
    return datetime.fromisoformat(event["_timestamp"]).timestamp()


def role_of(task: dict[str, str], caller: str) -> str:
    """The role of a task by its file; a check of arguments bears the role in its name only."""
    by_path = re.search(r"/roles/(\w+)/tasks/([\w.]+):\d+$", task["path"])
    if by_path:
        role, file = by_path.groups()
        return caller if role == "devpi" and file in SHARED else role
    by_name = re.match(r"(?:\w+\.)*(\w+) : ", task["name"])
    return by_name[1] if by_name else AROUND
