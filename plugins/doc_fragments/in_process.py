# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the documentation of all actions k8s* has in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Where these actions run."""

    DOCUMENTATION = r"""
description:
  - Runs inside Ansible's own process, and therefore only where Ansible itself runs. That saves the
    start of Python and of the kubernetes client with each call.
attributes:
  action:
    description: An action plugin does the work, and nothing is sent to the host.
    support: full
  async:
    description: There is no process that could go on by itself.
    support: none
"""
