"""How components write Kubernetes objects: as manifests, in the API's own spelling."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

Manifest = Mapping[str, Any]

PROVIDER = importlib.metadata.version("pulumi-kubernetes")
"""The default provider that objects ask for is the SDK's: without a version they would get another one, and change over
to the SDK's with the next update.
"""

MANAGED_BY = {"app.kubernetes.io/managed-by": "pulumi"}
SYSTEM_NAMESPACE = "agent-sandbox-system"
"""Upstream's namespace for the controller. Its default network policies admit the router from here only."""

SANDBOX_API = "agents.x-k8s.io/v1beta1"
EXTENSIONS_API = "extensions.agents.x-k8s.io/v1beta1"

POD_SECURITY_RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
    "pod-security.kubernetes.io/audit": "restricted",
}

REQUESTS = {"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "512Mi"}
LIMITS = {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "1Gi"}
"""A sandbox's resources in upstream's guides."""

NONROOT = 65532
"""The user that distroless images, upstream's among them, are built for."""


class KubernetesObject(pulumi.CustomResource):
    """Any object of any served kind, from its manifest.

    The SDK has a class for each built-in kind, but none for upstream's; and a manifest reads as the
    Kubernetes documentation, the policies and kubectl show it.
    """

    status: pulumi.Output[dict[str, Any] | None]
    """What the object's controller reported when the update was over."""

    def __init__(self, name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> None:
        metadata = manifest["metadata"]
        annotations = {**metadata.get("annotations", {}), **FIELD_MANAGER}
        manifest = {**manifest, "metadata": {**metadata, "annotations": annotations}}
        group = manifest["apiVersion"] if "/" in manifest["apiVersion"] else f"core/{manifest['apiVersion']}"
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=PROVIDER))
        super().__init__(f"kubernetes:{group}:{manifest['kind']}", name, {**manifest, "status": None}, opts)


FIELD_MANAGER = {"pulumi.com/patchFieldManager": "pulumi-agent-sandbox"}
"""One name for who owns an object's fields. By default Pulumi makes one up for each object that it creates, and an
update that was killed before it wrote that name down could never again apply what it had created."""


def restricted_pod(user: int = NONROOT) -> dict[str, Any]:
    """A pod's securityContext under the restricted Pod Security Standard."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def restricted_container(read_only_root: bool = True) -> dict[str, Any]:
    """A container's securityContext under the restricted Pod Security Standard."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": read_only_root,
        "capabilities": {"drop": ["ALL"]},
    }


def spread(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Replicas over zones and hosts as far as there are any."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(labels)},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def disruption_budget(name: str, namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """All replicas but one stay up while a node is drained."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace, "labels": {**MANAGED_BY, **labels}},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": dict(labels)}},
    }


def wait_for(condition: str) -> dict[str, str]:
    """The annotation that makes Pulumi wait until `condition` holds; custom resources are not waited for else."""
    return {"pulumi.com/waitFor": condition}


NO_WAIT = {"pulumi.com/skipAwait": "true"}
"""The annotation that spares a Service Pulumi's ten seconds of watching it; its Deployment is waited for anyway."""


def network_policy(metadata: Manifest, selector: Manifest, ingress: list[Any], egress: list[Any]) -> dict[str, Any]:
    """A NetworkPolicy that closes both directions but for its rules."""
    types = ["Ingress", "Egress"]
    spec = {"podSelector": selector, "policyTypes": types, "ingress": ingress, "egress": egress}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def dns_egress() -> dict[str, Any]:
    """A NetworkPolicy rule that lets pods ask the cluster's DNS."""
    namespace = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    return {"to": [namespace], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def kubernetes_api_egress() -> dict[str, Any]:
    """A NetworkPolicy rule that lets pods reach the API server, which has no pods to select by label."""
    return {"ports": [{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}]}


def scraper_ingress(namespaces: Sequence[str] | None) -> dict[str, Any]:
    """A NetworkPolicy rule that lets pods of `namespaces`, or of all if it is None, read the metrics."""
    name = "kubernetes.io/metadata.name"
    selector: dict[str, Any] = {}
    if namespaces is not None:
        selector = {"matchExpressions": [{"key": name, "operator": "In", "values": list(namespaces)}]}
    return {"from": [{"namespaceSelector": selector}], "ports": [{"port": "metrics"}]}
