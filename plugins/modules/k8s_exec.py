#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_exec
short_description: Run a command in a container of a pod, within Ansible's process
version_added: 1.0.0
description:
  - Does what M(kubernetes.core.k8s_exec) does. The task has to judge the exit code.
author:
  - thinkube.devpi contributors (@thinkube)
extends_documentation_fragment:
  - thinkube.devpi.cluster
  - thinkube.devpi.in_process
seealso:
  - module: kubernetes.core.k8s_exec
attributes:
  check_mode:
    description: The command is run in check mode too.
    support: none
  diff_mode:
    description: Nothing is known of what the command changes.
    support: none
options:
  namespace:
    description: Namespace of the pod.
    type: str
    required: true
  pod:
    description: Name of the pod.
    type: str
    required: true
  container:
    description: Name of the container.
    type: str
    required: true
  command:
    description: Program and arguments, split as a shell would, and run without one.
    type: str
    required: true
  stdin:
    description: What the command can read. It is never told that there is no more.
    type: str
"""

EXAMPLES = r"""
- name: Ask devpi-server for its version
  thinkube.devpi.k8s_exec:
    namespace: devpi
    pod: devpi-0
    container: server
    command: devpi-server --version
  register: asked
  changed_when: false
  failed_when: asked.rc != 0
"""

RETURN = r"""
rc:
  description: Exit code of the command.
  returned: success
  type: int
stdout:
  description: What it printed.
  returned: success
  type: str
stderr:
  description: What it complained of.
  returned: success
  type: str
"""
