"""Upstream's release manifest: read, compared with its checksum, and hardened.

Upstream releases one replica with no resources, probes or security context, and rights that it uses
only for its conversion webhook. The patches here find what they change by kind and name, so that a
release that is laid out differently is refused rather than half hardened.
"""

import copy
import functools
import hashlib
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml

from components._kubernetes import (
    NO_WAIT,
    NONROOT,
    POD_SECURITY_RESTRICTED,
    restricted_container,
    restricted_pod,
    spread,
)

Document = dict[str, Any]

Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader, in C where PyYAML was built with it: the manifest's 17,000 lines take seconds otherwise."""

NAME = "agent-sandbox-controller"
LABELS = {"app": NAME}
PRIORITY_CLASS = "agent-sandbox-system"
TIMEOUT = 30.0
"""Seconds that a download of the manifest may take to answer."""

WEBHOOK_NAMES = {"agent-sandbox-webhook-service"}


class ManifestError(pulumi.RunError):
    """The manifest cannot be used; the text says why and what to do."""


@functools.lru_cache(maxsize=2)
def load(source: str, sha256: str) -> Sequence[Document]:
    """The documents of the manifest at the path or https address `source`, read once. Raises ManifestError."""
    try:
        if source.startswith("https://"):
            with urllib.request.urlopen(source, timeout=TIMEOUT) as response:
                content: bytes = response.read()
        else:
            content = Path(source).read_bytes()
    except OSError as error:
        raise ManifestError(f"The controller's manifest cannot be read from {source}: {error}.") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise ManifestError(
            f"The controller's manifest at {source} has the sha256 {actual}, not the expected {sha256}.\n"
            "  It is another release, or somebody changed it. Compare the two, and pin the one that you trust."
        )
    return documents(content)


def documents(content: bytes) -> list[Document]:
    """The objects in a manifest, each once."""
    return _last_of_each(document for document in yaml.load_all(content, Loader) if document)


def _last_of_each(documents: Iterable[Document]) -> list[Document]:
    """Upstream's files are made to be applied one after the other: of two that mean one object, the later holds."""
    last: dict[tuple[str, ...], Document] = {}
    for document in documents:
        metadata = document["metadata"]
        last[document["apiVersion"], document["kind"], metadata.get("namespace", ""), metadata["name"]] = document
    return list(last.values())


@dataclass(frozen=True)
class Changes:
    """What is chosen about the controller's Deployment."""

    image: pulumi.Input[str]
    replicas: int = 2
    resources: Document = field(default_factory=dict)
    flags: Sequence[str] = ()
    environment: Sequence[Document] = ()
    priority_class: str = PRIORITY_CLASS


def harden(documents: Sequence[Document], changes: Changes) -> list[Document]:
    """A copy of `documents` that runs v1beta1 only, with least rights, restricted and highly available."""
    webhook = _webhook_roles(documents)
    hardened = [copy.deepcopy(document) for document in documents if not _serves_the_webhook(document, webhook)]
    for document in hardened:
        if document["kind"] == "CustomResourceDefinition":
            _keep_only_v1beta1(document)
        elif document["kind"] == "ClusterRole":
            _drop_unused_rights(document)
        elif document["kind"] == "Service":
            document["metadata"].setdefault("annotations", {}).update(NO_WAIT)
        elif document["kind"] == "Namespace":
            document["metadata"].setdefault("labels", {}).update(POD_SECURITY_RESTRICTED)
    _harden_deployment(_only(hardened, "Deployment"), changes)
    namespace = _only(hardened, "Namespace")["metadata"]["name"]
    return [*hardened, *_lease_rights(namespace)]


def _only(documents: Sequence[Document], kind: str) -> Document:
    found = [document for document in documents if document["kind"] == kind]
    if len(found) != 1:
        raise ManifestError(
            f"The controller's manifest holds {len(found)} objects of kind {kind} where one is expected.\n"
            "  Use upstream's sandbox-with-extensions.yaml; this project does not know another layout."
        )
    return found[0]


def _webhook_roles(documents: Sequence[Document]) -> set[str]:
    """The namespaced roles that grant nothing but the webhook's certificate Secret."""
    roles = [document for document in documents if document["kind"] == "Role"]
    granted = {
        role["metadata"]["name"]: {each for rule in role["rules"] for each in rule["resources"]} for role in roles
    }
    return {name for name, resources in granted.items() if resources == {"secrets"}}


def _serves_the_webhook(document: Document, roles: set[str]) -> bool:
    """The conversion webhook translates v1alpha1; what exists for it alone goes with it."""
    if document["kind"] == "RoleBinding":
        return document["roleRef"]["name"] in roles
    if document["kind"] == "Role":
        return document["metadata"]["name"] in roles
    return document["metadata"]["name"] in WEBHOOK_NAMES


def _keep_only_v1beta1(crd: Document) -> None:
    crd["spec"]["versions"] = [version for version in crd["spec"]["versions"] if version["name"] == "v1beta1"]
    if not crd["spec"]["versions"]:
        raise ManifestError(f"{crd['metadata']['name']} does not serve v1beta1, the only version used here.")
    crd["spec"]["conversion"] = {"strategy": "None"}


def _drop_unused_rights(role: Document) -> None:
    """Changing CRDs is for the webhook's certificate; leases are needed in one namespace only."""
    groups = ("apiextensions.k8s.io", "coordination.k8s.io")
    role["rules"] = [rule for rule in role["rules"] if not set(rule["apiGroups"]) & set(groups)]


def _harden_deployment(deployment: Document, changes: Changes) -> None:
    spec = deployment["spec"]
    spec["replicas"] = changes.replicas
    spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    pod = spec["template"]["spec"]
    pod.update(
        securityContext=restricted_pod(NONROOT),
        priorityClassName=changes.priority_class,
        topologySpreadConstraints=spread(LABELS),
        terminationGracePeriodSeconds=30,
        enableServiceLinks=False,
        nodeSelector={"kubernetes.io/os": "linux"},
    )
    container = pod["containers"][0]
    has_webhook = any(port["name"] == "webhook" for port in container["ports"])
    container.update(
        image=changes.image,
        imagePullPolicy="IfNotPresent",
        args=[*container.get("args", ()), *(["--enable-webhook=false"] if has_webhook else []), *changes.flags],
        ports=[port for port in container["ports"] if port["name"] != "webhook"],
        resources=changes.resources,
        securityContext=restricted_container(),
        startupProbe=_probe("/healthz", periodSeconds=2, failureThreshold=30),
        livenessProbe=_probe("/healthz", periodSeconds=20, timeoutSeconds=5),
        readinessProbe=_probe("/readyz", periodSeconds=5),
    )
    if changes.environment:
        container["env"] = [*container.get("env", ()), *changes.environment]


def _probe(path: str, **settings: int) -> Document:
    return {"httpGet": {"path": path, "port": "healthz"}, **settings}


def _lease_rights(namespace: str) -> list[Document]:
    """The rights that leader election needs, in the controller's own namespace."""
    metadata = {"name": f"{NAME}-leader-election", "namespace": namespace}
    rbac = "rbac.authorization.k8s.io"
    return [
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [
                {
                    "apiGroups": ["coordination.k8s.io"],
                    "resources": ["leases"],
                    "verbs": ["create", "get", "list", "patch", "update", "watch"],
                }
            ],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": metadata["name"]},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        },
    ]
