# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the documentation of all modules that talk to a devpi has in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that say which server is meant, and who asks."""

    DOCUMENTATION = r"""
description:
  - Talks to devpi's HTTP API from the host that the task runs on, so it needs no devpi-client and
    no Kubernetes.
  - An error of the server is passed on in its own words. Nothing is tried again but a request that
    got no answer, or that the
    server wants to have again later.
notes:
  - All modules that talk to a devpi are in the action group C(thinkube.devpi.devpi), so
    C(module_defaults) can give them these options.
  - Servers of version 6 are supported; where version 7 is known to use other words, these are
    understood too.
options:
  url:
    description: URL of the server, without an index and without a login.
    type: str
    required: true
  login_user:
    description: User who does this.
    type: str
    default: root
  login_password:
    description: Password of O(login_user). Without it and without O(login_token), nobody is logged
      in.
    type: str
  login_token:
    description: A token of O(login_user) from devpi-tokens, instead of the password.
    type: str
  ca_path:
    description: PEM file with the authorities to trust; else those of the system. TLS is always
      verified.
    type: path
  timeout:
    description: Seconds that one answer may take.
    type: int
    default: 60
  retries:
    description: How often a request without an answer is sent again, with growing pauses.
    type: int
    default: 4
"""

    CHANGES = r"""
attributes:
  check_mode:
    description: Plans everything and changes nothing.
    support: full
  diff_mode:
    description: Shows what differs, without passwords and tokens.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
  action_group:
    description: Use C(group/thinkube.devpi.devpi) in C(module_defaults) to set defaults for this
      module.
    support: full
    membership:
      - thinkube.devpi.devpi
"""
