"""The Agent Sandbox controller: upstream's release, hardened, or GKE's managed add-on.

Owns the CRDs, the namespace agent-sandbox-system, and in it the controller with its rights, budget
and network policy. With the source `managed` GKE owns all of that, and nothing is installed here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components import _upstream
from components._arguments import arguments, require_valid
from components._checks import between, dns_label, matches, one_of, some_dns_labels
from components._controller_flags import OWN_FLAGS, PROFILES, ControllerTuning, flag_of, flags
from components._fairness import ApiFairnessArgs, fairness
from components._flags import extra_flags_problem
from components._formats import pinned_image, quantities
from components._images import chosen_image, image_digest, image_registry
from components._kubernetes import (
    MANAGED_BY,
    SYSTEM_NAMESPACE,
    KubernetesObject,
    Manifest,
    disruption_budget,
    dns_egress,
    kubernetes_api_egress,
    scraper_ingress,
)
from components._telemetry import otlp_egress, otlp_endpoint, otlp_environment

SOURCES = ("upstream", "managed")
UPSTREAM_ONLY = ("manifest", "sha256", "image")


def _one_source(args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if args.get("source", "upstream") == "managed":
        for field in args:
            if field != "source":
                remedy = "GKE's add-on sets all of it up. Both would own the same CRDs. Remove one of the two."
                yield field, "is given, though the source is managed", remedy
        return
    for field in UPSTREAM_ONLY:
        if field not in args:
            remedy = "Nothing could be installed. Add it, or use managed."
            yield field, "is given, though the source is upstream", remedy
    typed = {flag_of(name).lstrip("-"): f"tuning.{name}" for name in ControllerTuning.__annotations__}
    typed["enable-tracing"] = "otlp_endpoint"
    if found := extra_flags_problem(args.get("extra_args", ()), OWN_FLAGS, typed):
        yield "extra_args", *found


@arguments(
    together=_one_source,
    source=one_of(SOURCES, "It says who installs the controller."),
    sha256=matches(r"[0-9a-f]{64}", "is not a checksum", "Nothing could match it. Write 64 hexadecimal digits."),
    image=pinned_image,
    image_registry=image_registry,
    image_digest=image_digest,
    replicas=between(1, 5, "With none nothing is controlled; only one leads, however many wait."),
    profile=one_of(PROFILES, "It says what the controller is made ready for."),
    requests=quantities,
    limits=quantities,
    otlp_endpoint=otlp_endpoint,
    priority_class=dns_label,
    scraped_from=some_dns_labels,
)
class AgentSandboxControllerArgs(TypedDict):
    """Arguments of AgentSandboxController."""

    source: NotRequired[str]
    """`upstream` installs the release in `manifest`; `managed` leaves it to GKE's add-on, and takes no other
    argument. Default upstream."""
    manifest: NotRequired[str]
    """Path or https address of upstream's sandbox-with-extensions.yaml. Required with `upstream`."""
    sha256: NotRequired[str]
    """The checksum that the manifest must have, 64 hexadecimal digits. Required with `upstream`."""
    image: NotRequired[pulumi.Input[str]]
    """The controller's image, of the same release as the manifest. Required with `upstream`."""
    image_registry: NotRequired[str]
    """A mirror that holds the image under its own name, as in europe-docker.pkg.dev/project/mirror. Default the
    registry in `image`."""
    image_digest: NotRequired[str]
    """The digest that the image must have, sha256:... . Default none: the tag in `image` is trusted."""
    replicas: NotRequired[int]
    """Controller pods, of which one leads. Default 2, so that a lost node costs seconds; upstream has 1."""
    profile: NotRequired[str]
    """Flags and resources for `small`, `default` or `high-throughput` use. Default `default`, upstream's flags."""
    tuning: NotRequired[ControllerTuning]
    """Single flags that differ from the profile's. Default none."""
    requests: NotRequired[dict[str, pulumi.Input[str]]]
    """Resources that each pod is sure of, as Kubernetes quantities. Default the profile's; 250m CPU, 256Mi memory."""
    limits: NotRequired[dict[str, pulumi.Input[str]]]
    """Resources that no pod exceeds, as Kubernetes quantities. Default the profile's; 2 CPU, 1Gi memory."""
    otlp_endpoint: NotRequired[str]
    """Address of the OTLP gRPC collector that traces go to, as in http://collector.observability:4317. Default
    none, upstream's: no traces."""
    priority_class: NotRequired[str]
    """A PriorityClass that exists already. Default one of this component's own, above any sandbox's."""
    scraped_from: NotRequired[list[str]]
    """Namespaces whose pods may read the metrics. Default every namespace of the cluster."""
    api_fairness: NotRequired[ApiFairnessArgs]
    """Seats of its own at the API server, so that a storm of claims cannot starve the cluster, nor the cluster the
    claims; `{}` takes upstream's sizes. Needs rights over the cluster's flow schemas. Default none."""
    extra_args: NotRequired[list[str]]
    """More flags for the controller, after those that the arguments above come to. Default none."""


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
        earlier: list[pulumi.Resource] = []
        for stage in _stages(controller_manifests(args)):
            options = pulumi.ResourceOptions(parent=self, depends_on=earlier)
            earlier = [KubernetesObject(_child(name, each), each, options) for each in stage]


def controller_manifests(args: AgentSandboxControllerArgs) -> list[Manifest]:
    """Every object that checked arguments with the source `upstream` come to. Raises ManifestError."""
    profile = args.get("profile", "default")
    endpoint = args.get("otlp_endpoint")
    tracing = ["--enable-tracing=true"] if endpoint else []
    documents = _upstream.harden(
        _upstream.load(args["manifest"], args["sha256"]),
        _upstream.Changes(
            image=chosen_image(args),
            replicas=args.get("replicas", 2),
            resources={
                "requests": args.get("requests", PROFILES[profile].requests),
                "limits": args.get("limits", PROFILES[profile].limits),
            },
            flags=[*flags(profile, args.get("tuning", {})), *tracing, *args.get("extra_args", ())],
            environment=otlp_environment(endpoint) if endpoint else [],
            priority_class=args.get("priority_class", _upstream.PRIORITY_CLASS),
        ),
    )
    own = [] if "priority_class" in args else [_priority_class()]
    seats = fairness(args["api_fairness"], _upstream.NAME) if "api_fairness" in args else []
    return [*own, *documents, _network_policy(args), _budget(), *seats]


def _child(name: str, manifest: Manifest) -> str:
    return f"{name}-{manifest['kind'].lower()}-{manifest['metadata']['name']}"


def _stages(manifests: list[Manifest]) -> list[list[Manifest]]:
    """What the others refer to, then the others, then the Deployment that uses them all."""
    first = ("Namespace", "PriorityClass", "CustomResourceDefinition", "PriorityLevelConfiguration")
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


def _budget() -> Manifest:
    return disruption_budget(_upstream.NAME, SYSTEM_NAMESPACE, _upstream.LABELS)


def _network_policy(args: AgentSandboxControllerArgs) -> Manifest:
    """In: scrapers, and the kubelet's probes. Out: DNS, the API server, and traces where they are asked for."""
    endpoint = args.get("otlp_endpoint")
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": _upstream.NAME, "namespace": SYSTEM_NAMESPACE, "labels": MANAGED_BY},
        "spec": {
            "podSelector": {"matchLabels": _upstream.LABELS},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [scraper_ingress(args.get("scraped_from")), {"ports": [{"port": "healthz"}]}],
            "egress": [dns_egress(), kubernetes_api_egress(), *([otlp_egress(endpoint)] if endpoint else [])],
        },
    }
