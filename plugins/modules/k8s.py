#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s
short_description: Bring Kubernetes objects to their state within Ansible's process
version_added: 1.0.0
description:
  - Does what M(kubernetes.core.k8s) does, and shows the differences of every object where there are
    several.
author:
  - thinkube.devpi contributors (@thinkube)
extends_documentation_fragment:
  - thinkube.devpi.cluster
  - thinkube.devpi.in_process
seealso:
  - module: kubernetes.core.k8s
attributes:
  check_mode:
    description: The API server makes a dry run.
    support: full
  diff_mode:
    description: With O(resource_definition) of several objects, a list of differences.
    support: full
options:
  api_version:
    description: Version of the API, where O(resource_definition) does not say it.
    type: str
    default: v1
  kind:
    description: Kind of the object, where O(resource_definition) does not say it.
    type: str
  name:
    description: Name of the object, where O(resource_definition) does not say it.
    type: str
  namespace:
    description: Namespace of the objects that do not say it.
    type: str
  resource_definition:
    description: One object, several, or their YAML.
    type: raw
  state:
    description: Whether the objects are to be there.
    type: str
    choices: [present, absent, patched]
    default: present
  apply:
    description: Apply, instead of merging what is given into what is there.
    type: bool
    default: false
  server_side_apply:
    description: Let the API server apply.
    type: dict
    suboptions:
      field_manager:
        description: Who owns the fields from then on.
        type: str
        required: true
      force_conflicts:
        description: Take fields that somebody else owns.
        type: bool
        default: false
  delete_options:
    description: How to delete, with the keys of Kubernetes' DeleteOptions.
    type: dict
  hidden_fields:
    description: Fields to leave out of the result and the differences.
    type: list
    elements: str
  wait:
    description: Wait until each object is ready, or gone.
    type: bool
    default: false
  wait_sleep:
    description: Seconds between two looks.
    type: int
    default: 5
  wait_timeout:
    description: Seconds after which to give up.
    type: int
    default: 120
  shown_only:
    description:
      - Do not ask the cluster, and say that the objects of O(resource_definition), a list, would be
        created.
      - For check mode where their namespace is not there, and a dry run of the server has nothing
        to work on.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Bring two objects in one call
  thinkube.devpi.k8s:
    resource_definition:
      - "{{ lookup('ansible.builtin.template', 'service.yaml.j2') | from_yaml }}"
      - "{{ lookup('ansible.builtin.template', 'deployment.yaml.j2') | from_yaml }}"
    apply: true
    server_side_apply: {field_manager: thinkube.devpi, force_conflicts: true}
    wait: true
"""

RETURN = r"""
result:
  description:
    - The object. With several objects it is C(results), an entry for each with its C(result),
      C(method) and C(changed).
  returned: success
  type: dict
"""
