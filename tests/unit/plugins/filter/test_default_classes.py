# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults among a cluster's classes."""

from __future__ import annotations

from typing import Any

from ansible_collections.thinkube.devpi.plugins.filter.default_classes import default_classes


def described(name: str, created: str = "2026-01-01T00:00:00Z", **annotations: str) -> Any:
    kinds = {key + ".kubernetes.io/is-default-class": said for key, said in annotations.items()}
    return {"metadata": {"name": name, "creationTimestamp": created, "annotations": kinds}}


def test_only_true_makes_a_default() -> None:
    classes = [
        described("no", ingressclass="false"),
        described("yes", ingressclass="true"),
        described("silent"),
        {"metadata": {"name": "bare"}},
    ]
    assert default_classes(classes) == ["yes"]


def test_the_newest_is_first() -> None:
    classes = [
        described("old", "2025-01-01T00:00:00Z", storageclass="true"),
        described("new", "2026-01-01T00:00:00Z", storageclass="true"),
    ]
    assert default_classes(classes) == ["new", "old"]
