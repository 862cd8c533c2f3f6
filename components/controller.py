"""The Agent Sandbox controller: upstream's release, hardened, or GKE's managed add-on.

Owns the CRDs, the namespace agent-sandbox-system, and in it the controller with its rights, budget
and network policy. With the source `managed` GKE owns all of that, and nothing is installed here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components import _upstream
from components._arguments import arguments, require_valid
from components._checks import between, one_of, pinned_image, quantities
from components._kubernetes import (
    MANAGED_BY,
    SYSTEM_NAMESPACE,
    KubernetesObject,
    Manifest,
    disruption_budget,
    dns_egress,
    kubernetes_api_egress,
)

SOURCES = ("upstream", "managed")
REQUESTS = {"cpu": "250m", "memory": "256Mi"}
LIMITS = {"cpu": "2", "memory": "1Gi"}


def _one_source(args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    upstream = ("manifest", "sha256", "image")
    if args.get("source", "upstream") == "managed":
        for field in upstream:
            if field in args:
                yield (
                    field,
                    "is given, though the source is managed",
                    "Both would own the same CRDs. Remove one of the two.",
                )
    else:
        for field in upstream:
            if field not in args:
                yield (
                    field,
                    "is given, though the source is upstream",
                    "Nothing could be installed. Add it, or use managed.",
                )


@arguments(
    together=_one_source,
    source=one_of(SOURCES, "It says who installs the controller."),
    image=pinned_image,
    replicas=between(1, 5, "With none nothing is controlled; only one leads, however many wait."),
    requests=quantities,
    limits=quantities,
)
class AgentSandboxControllerArgs(TypedDict):
    """Arguments of AgentSandboxController."""

    source: NotRequired[str]
    """`upstream` installs the release in `manifest`; `managed` leaves it to GKE's add-on. Default upstream."""
    manifest: NotRequired[str]
    """Path or https address of upstream's sandbox-with-extensions.yaml. Required with `upstream`."""
    sha256: NotRequired[str]
    """The checksum that the manifest must have, 64 hexadecimal digits. Required with `upstream`."""
    image: NotRequired[pulumi.Input[str]]
    """The controller's image, of the same release as the manifest. Required with `upstream`."""
    replicas: NotRequired[int]
    """Controller pods, of which one leads. Default 2, so that a lost node costs seconds; upstream has 1."""
    requests: NotRequired[dict[str, pulumi.Input[str]]]
    """Resources that each pod is sure of, as Kubernetes quantities. Default 250m CPU, 256Mi memory."""
    limits: NotRequired[dict[str, pulumi.Input[str]]]
    """Resources that no pod exceeds, as Kubernetes quantities. Default 2 CPU, 1Gi memory."""
    extra_args: NotRequired[list[str]]
    """More flags for the controller, after this component's own, which they may replace. Default none."""


class AgentSandboxController(pulumi.ComponentResource):
    """The controller that makes sandboxes, with its CRDs. Install one on a cluster.

    Custom resources depend on this component: their kinds exist once it does.
    """

    def __init__(self, name: str, args: AgentSandboxControllerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments, ManifestError for a manifest that cannot be trusted."""
        require_valid(AgentSandboxControllerArgs, name, args)
        super().__init__("agent-sandbox:index:AgentSandboxController", name, {**args}, opts)
        if args.get("source", "upstream") == "upstream":
            self._install(name, args)
        self.register_outputs({})

    def _install(self, name: str, args: AgentSandboxControllerArgs) -> None:
        documents = _upstream.harden(
            _upstream.load(args["manifest"], args["sha256"]),
            image=args["image"],
            replicas=args.get("replicas", 2),
            resources={"requests": args.get("requests", REQUESTS), "limits": args.get("limits", LIMITS)},
            flags=args.get("extra_args", []),
        )
        earlier: list[pulumi.Resource] = []
        for stage in _stages([_priority_class(), *documents, *_protection()]):
            options = pulumi.ResourceOptions(parent=self, depends_on=earlier)
            earlier = [KubernetesObject(_child(name, each), each, options) for each in stage]


def _child(name: str, manifest: Manifest) -> str:
    return f"{name}-{manifest['kind'].lower()}-{manifest['metadata']['name']}"


def _stages(manifests: list[Manifest]) -> list[list[Manifest]]:
    """What the others refer to, then the others, then the Deployment that uses them all."""
    first = ("Namespace", "PriorityClass", "CustomResourceDefinition")
    stages: list[list[Manifest]] = [[], [], []]
    for manifest in manifests:
        kind = manifest["kind"]
        stages[0 if kind in first else 2 if kind == "Deployment" else 1].append(manifest)
    return stages


def _priority_class() -> Manifest:
    # Not system-cluster-critical: GKE admits that one in kube-system only.
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": _upstream.PRIORITY_CLASS, "labels": MANAGED_BY},
        "value": 1_000_000,
        "description": "The controller and router, ahead of the sandboxes that they serve.",
    }


def _protection() -> list[Manifest]:
    network_policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": _upstream.NAME, "namespace": SYSTEM_NAMESPACE, "labels": MANAGED_BY},
        "spec": {
            "podSelector": {"matchLabels": _upstream.LABELS},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"port": "metrics"}, {"port": "healthz"}]}],
            "egress": [dns_egress(), kubernetes_api_egress()],
        },
    }
    return [disruption_budget(_upstream.NAME, SYSTEM_NAMESPACE, _upstream.LABELS), network_policy]
