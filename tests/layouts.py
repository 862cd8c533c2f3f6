"""Upstream's manifest in another layout than that of the release that the tests run against."""

import copy
import functools
from typing import Any

import yaml

from components import _upstream

CRD = "CustomResourceDefinition"

Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""In C where PyYAML was built with it, as components._upstream.Loader."""


@functools.cache
def without_webhook(manifest: str) -> str:
    """As upstream releases since v1.0.0: v1beta1 alone, and nothing of the webhook that converted v1alpha1."""
    newer = [_newer(each) for each in _upstream.documents(manifest.encode()) if not _gone(each)]
    return str(yaml.dump_all(newer, Dumper=Dumper))


def _gone(document: dict[str, Any]) -> bool:
    if document["kind"] in ("Role", "RoleBinding"):
        return True
    return bool(document["metadata"]["name"] == "agent-sandbox-webhook-service")


def _newer(document: dict[str, Any]) -> dict[str, Any]:
    document = copy.deepcopy(document)
    if document["kind"] == CRD:
        spec = document["spec"]
        spec.pop("conversion")
        spec["versions"] = [version for version in spec["versions"] if version["name"] == "v1beta1"]
    elif document["kind"] == "ClusterRole":
        document["rules"] = [rule for rule in document["rules"] if rule["apiGroups"] != ["apiextensions.k8s.io"]]
    elif document["kind"] == "Deployment":
        (container,) = document["spec"]["template"]["spec"]["containers"]
        container["ports"] = [port for port in container["ports"] if port["name"] != "webhook"]
    return document
