# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the documentation of everything that asks a cluster has in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that say which cluster is meant."""

    DOCUMENTATION = r"""
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
