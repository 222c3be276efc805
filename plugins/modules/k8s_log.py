#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_log
short_description: Read the log of a pod within Ansible's process
version_added: 1.0.0
description:
  - Does what M(kubernetes.core.k8s_log) does.
author:
  - thinkube.devpi contributors (@thinkube)
extends_documentation_fragment:
  - thinkube.devpi.cluster
  - thinkube.devpi.in_process
seealso:
  - module: kubernetes.core.k8s_log
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: Changes nothing.
    support: N/A
options:
  namespace:
    description: Namespace of the pod.
    type: str
  name:
    description: Name of the pod; or its labels in O(label_selectors).
    type: str
  label_selectors:
    description: Labels of the pod; the first one that has them is taken.
    type: list
    elements: str
    default: []
  all_containers:
    description: The logs of all containers, one after the other.
    type: bool
  tail_lines:
    description: Only so many lines from the end of each log.
    type: int
"""

EXAMPLES = r"""
- name: Read the end of the server's log
  thinkube.devpi.k8s_log:
    namespace: devpi
    label_selectors: [app=devpi]
    all_containers: true
    tail_lines: 40
"""

RETURN = r"""
log_lines:
  description: The lines of the log.
  returned: success
  type: list
  elements: str
"""
