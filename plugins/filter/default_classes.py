# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a cluster's classes is taken where none is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: default_classes
short_description: Names of the classes that a cluster takes where none is named
version_added: 1.0.0
description:
  - Takes IngressClasses or StorageClasses. One is a default if its annotation says V(true);
    Kubernetes takes no other word for it.
author:
  - thinkube.devpi contributors (@thinkube)
options:
  _input:
    description: The classes, as the cluster gives them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the default StorageClass
  ansible.builtin.debug:
    msg: "{{ query('kubernetes.core.k8s', kind='StorageClass') | thinkube.devpi.default_classes }}"
"""

RETURN = r"""
_value:
  description: Their names, the newest first. Of several StorageClasses Kubernetes takes that one.
  type: list
  elements: str
"""

# https://kubernetes.io/docs/reference/labels-annotations-taints/
ANNOTATIONS = (
    "ingressclass.kubernetes.io/is-default-class",
    "storageclass.kubernetes.io/is-default-class",
)


def default_classes(classes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the defaults among ``classes``, the newest first."""
    defaults = [
        described["metadata"]
        for described in classes
        if "true" in map((described["metadata"].get("annotations") or {}).get, ANNOTATIONS)
    ]
    defaults.sort(key=lambda metadata: metadata.get("creationTimestamp") or "", reverse=True)
    return [metadata["name"] for metadata in defaults]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"default_classes": default_classes}
