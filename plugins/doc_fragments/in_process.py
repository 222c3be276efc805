# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the documentation of all actions k8s* has in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that say which cluster is meant, and where these actions run."""

    DOCUMENTATION = r"""
description:
  - Runs inside Ansible's own process, and therefore only where Ansible itself runs. That saves the
    start of Python and of the kubernetes client with each call.
requirements:
  - kubernetes (Python library)
  - kubernetes.core (collection)
options:
  kubeconfig:
    description: Path of the kubeconfig. Without it E(KUBECONFIG) is used, then V(~/.kube/config).
    type: path
  context:
    description: Context of the kubeconfig. Without it the current one is used.
    type: str
"""
