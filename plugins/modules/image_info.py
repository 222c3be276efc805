#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Ask a registry whether it has an image
version_added: 1.0.0
description:
  - Asks by skopeo, with verified TLS and the login on its standard input.
  - Runs inside Ansible's own process, and therefore only where Ansible itself runs.
  - A registry that can't be asked is no failure of the task, since RV(trouble) is to be shown and
    the task's O(authfile) is not. The task after it has to judge.
author:
  - thinkube.devpi contributors (@thinkube)
requirements:
  - skopeo
attributes:
  check_mode:
    description: Nothing is changed in either mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  name:
    description: The image with its registry, and its tag or digest.
    type: str
    required: true
  authfile:
    description: The login of the registry, as the text of a containers-auth.json(5).
    type: str
    required: true
  ca_bundle:
    description: PEM file with the certificate authority of the registry, besides the system's own.
    type: path
  plain_http:
    description: The registry may be asked by plain HTTP, which lets all on the way read the login.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Ask for the image
  thinkube.devpi.image_info:
    name: harbor.example.com/library/devpi:latest
    authfile: "{{ {'auths': {'harbor.example.com': {'auth': login | b64encode}}} | to_json }}"
  vars:
    login: robot:{{ robot_password }}
  register: image
  no_log: true

- name: Check that the registry answered
  ansible.builtin.assert:
    that: image.trouble == ''
    fail_msg: "{{ image.trouble }}"
"""

RETURN = r"""
name:
  description: The image that was asked for.
  returned: always
  type: str
exists:
  description: Whether the registry has it.
  returned: always
  type: bool
digest:
  description: Its digest; empty where it is not there.
  returned: always
  type: str
  sample: sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
trouble:
  description: Why the registry could not be asked, in the words of skopeo; else empty.
  returned: always
  type: str
"""
