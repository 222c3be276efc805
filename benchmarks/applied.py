# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests that a run applied, read back from the cluster that it applied them to.

Server-side apply records for each object which fields a manager set (``metadata.managedFields``,
FieldsV1). An object cut down to these fields is the manifest as the playbook sent it, Secrets and
all, without what the API server and the controllers added.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

# Manager under which the roles apply.
MANAGER = "thinkube.devpi"
STAGE = "devpi.thinkube.io/stage"
# Set by stage two only; so said in the role devpi_server.
OUTSIDE_URL = "DEVPISERVER_OUTSIDE_URL"

Manifest = dict[str, Any]
Fields = dict[str, Any]


def manifests(objects: Iterable[Manifest]) -> list[Manifest]:
    """Those of ``objects`` (with managedFields) that a run applied, as it sent them."""
    return [manifest(item, fields) for item in objects if (fields := applied_fields(item))]


def applied_fields(item: Manifest) -> Fields | None:
    """FieldsV1 of what our manager applied; None where it applied nothing."""
    for entry in item["metadata"].get("managedFields", []):
        if entry["manager"] == MANAGER and entry["operation"] == "Apply":
            fields: Fields = entry["fieldsV1"]
            return fields
    return None


def manifest(item: Manifest, fields: Fields) -> Manifest:
    """The object cut down to ``fields``, with the names that say which object it is."""
    cut: Manifest = owned(item, fields)
    named = {key: item["metadata"][key] for key in ("name", "namespace") if key in item["metadata"]}
    cut["metadata"] = cut.get("metadata", {}) | named
    return {"apiVersion": item["apiVersion"], "kind": item["kind"]} | cut


def owned(value: Any, fields: Fields) -> Any:
    """The part of ``value`` that ``fields`` names; a leaf of ``fields`` takes all below it."""
    within = {key: below for key, below in fields.items() if key != "."}
    if not within:
        return value
    if isinstance(value, list):
        # In the order of the object: fields are sorted, containers and volumes need not be.
        return [
            owned(item, below)
            for item in value
            for key, below in within.items()
            if is_named(item, key)
        ]
    # What was sent empty is owned and yet not stored; null owns it as well, whatever its type.
    return {key[2:]: owned(value.get(key[2:]), below) for key, below in within.items()}


def is_named(item: Any, key: str) -> bool:
    """Whether ``key`` means this item of a list: ``k:`` by some of its keys, ``v:`` by value."""
    wanted: Any = json.loads(key[2:])
    if key.startswith("v:"):
        return bool(item == wanted)
    return all(item.get(name) == value for name, value in wanted.items())


def as_list(items: list[Manifest]) -> str:
    """One JSON document for ``kubectl apply -f -``; the namespace, if any, comes first."""
    ordered = sorted(items, key=lambda item: item["kind"] != "Namespace")
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": ordered})


def at_stage_one(deployment: Manifest) -> Manifest:
    """The Deployment as the run first applied it, made from what it applied last."""
    earlier: Manifest = json.loads(json.dumps(deployment))
    earlier["metadata"]["annotations"][STAGE] = "one"
    for container in earlier["spec"]["template"]["spec"]["containers"]:
        container["env"] = [item for item in container["env"] if item["name"] != OUTSIDE_URL]
    if earlier["spec"] == deployment["spec"]:
        raise ValueError(f"no container of the Deployment has {OUTSIDE_URL}: is it at stage two?")
    return earlier
