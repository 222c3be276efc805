# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Objects of kinds that a cluster may or may not have.

kubernetes.core.k8s ends in an error where it meets a kind that the cluster lacks, after it has read
the whole list of kinds anew. This one asks for each kind's group by its address: always what the
cluster has now, one short request for a group that is missing.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: k8s_by_kind
short_description: Kubernetes objects of kinds that the cluster may lack
version_added: 1.0.0
description:
  - Reads all objects of some kinds in a namespace; the cluster's, if a kind has no namespaces.
  - A kind that the cluster does not know is left out of the answer, one without objects is not.
  - So is one that we may not see, since who installs need not have rights on kinds that they do not
    use.
author:
  - thinkube.devpi contributors (@thinkube)
extends_documentation_fragment:
  - thinkube.devpi.cluster
options:
  _terms:
    description: Kinds with their API, such as V(gateway.networking.k8s.io/v1/HTTPRoute).
    type: list
    elements: str
    required: true
  namespace:
    description: Where to look.
    type: str
    required: true
  name:
    description: Name of the only object that is wanted.
    type: str
"""

EXAMPLES = r"""
- name: Say which kinds lead from outside to this namespace
  ansible.builtin.debug:
    msg: >-
      {{ query('thinkube.devpi.k8s_by_kind', 'networking.k8s.io/v1/Ingress',
               'route.openshift.io/v1/Route', namespace='devpi') | first }}
"""

RETURN = r"""
_raw:
  description: One dictionary, of the kinds that the cluster shows us, with lists of their objects.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
    from kubernetes.dynamic.exceptions import DynamicApiError, ForbiddenError, NotFoundError
except ImportError as error:
    MISSING: str | None = str(error)
else:
    MISSING = None


class LookupModule(LookupBase):  # type: ignore[misc]
    """Reads them all with one client."""

    def run(
        self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, list[dict[str, Any]]]]:
        """One dictionary; AnsibleError with the API server's words when it refuses."""
        if MISSING is not None:
            raise AnsibleError(f"{MISSING}. Install it where Ansible runs: pip install kubernetes")
        self.set_options(var_options=variables, direct=kwargs)
        connection = {
            name: self.get_option(name)
            for name in ("kubeconfig", "context")
            if self.get_option(name)
        }
        try:
            client = get_api_client(**connection).client
            where = self.get_option("namespace"), self.get_option("name")
            read = ((term, objects(client, term, *where)) for term in terms)
            return [{term.rpartition("/")[2]: found for term, found in read if found is not None}]
        except DynamicApiError as refused:
            raise AnsibleError(f"{refused.summary()} ({', '.join(terms)})") from refused


def objects(
    client: Any, term: str, namespace: str, name: str | None
) -> list[dict[str, Any]] | None:
    """The objects of ``group/version/Kind`` in a namespace; None where we see no such kind."""
    api_version, kind = term.rsplit("/", 1)
    try:
        known = client.request("GET", f"/apis/{api_version}").to_dict()["resources"]
        # Names with a slash are parts of a kind, such as its status.
        of_kind = [one for one in known if one["kind"] == kind and "/" not in one["name"]]
        if not of_kind:
            return None
        place = f"namespaces/{namespace}/" if of_kind[0]["namespaced"] else ""
        wanted = f"?fieldSelector=metadata.name={name}" if name else ""
        path = f"/apis/{api_version}/{place}{of_kind[0]['name']}{wanted}"
        found: list[dict[str, Any]] = client.request("GET", path).to_dict()["items"]
    except (NotFoundError, ForbiddenError):
        return None
    return found
