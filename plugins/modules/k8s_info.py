#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_info
short_description: Read Kubernetes objects within Ansible's process
version_added: 1.0.0
description:
  - Does what M(kubernetes.core.k8s_info) does, and can wait for Jobs, Pods and Deployments.
author:
  - thinkube.devpi contributors (@thinkube)
extends_documentation_fragment:
  - thinkube.devpi.cluster
  - thinkube.devpi.in_process
seealso:
  - module: kubernetes.core.k8s_info
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: Changes nothing.
    support: N/A
options:
  api_version:
    description: Version of the API.
    type: str
    default: v1
  kind:
    description: Kind of the objects.
    type: str
    required: true
  name:
    description: Name of the only object to read.
    type: str
  namespace:
    description: Namespace of the objects.
    type: str
  label_selectors:
    description: Labels that the objects have, such as V(app=devpi).
    type: list
    elements: str
    default: []
  field_selectors:
    description: Fields that the objects have, such as V(status.phase=Running).
    type: list
    elements: str
    default: []
  settle_timeout:
    description:
      - Seconds to wait until all that is found has come to rest. A Job has ended, so have all
        containers of a Pod, a Deployment has the pods that it wants, all of them new.
      - The task fails when they are over; V(0) does not wait.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Read the pods of the server
  thinkube.devpi.k8s_info:
    kind: Pod
    namespace: devpi
    label_selectors: [app=devpi]

- name: Wait for the end of a Job, be it good or bad
  thinkube.devpi.k8s_info:
    api_version: batch/v1
    kind: Job
    name: devpi-init
    namespace: devpi
    settle_timeout: 300
"""

RETURN = r"""
resources:
  description: The objects; empty where there is none.
  returned: success
  type: list
  elements: dict
"""
