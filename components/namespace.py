"""A tenant's namespace: where templates, warm pools, claims and their sandboxes live.

Owns the namespace and what bounds everything in it: the restricted Pod Security Standard, a quota,
default and greatest resources of a container, and a NetworkPolicy that closes what no other opens.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components._arguments import ArgumentError, Problem, arguments, require_valid
from components._checks import between, dns_label, one_of, pod_metadata
from components._formats import amount, quantities
from components._kubernetes import (
    LIMITS,
    MANAGED_BY,
    POD_SECURITY_RESTRICTED,
    REQUESTS,
    KubernetesObject,
    Manifest,
    network_policy,
)

QUOTA = {"services.loadbalancers": "0", "services.nodeports": "0"}
"""No sandbox makes itself known to the world."""


@arguments(
    value=between(-(10**9), 10**9, "Greater numbers are the system's."),
    preemption_policy=one_of(("Never", "PreemptLowerPriority"), "It says whether others make room for sandboxes."),
)
class PriorityArgs(TypedDict):
    """A PriorityClass for the sandboxes of a namespace."""

    value: int
    """The priority; pods of higher priority are scheduled first. Pods without a class have 0."""
    preemption_policy: NotRequired[str]
    """Whether sandboxes push pods of lower priority off a full node: `Never` or `PreemptLowerPriority`. Default
    Never; Kubernetes' is PreemptLowerPriority."""


def _bounds(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    most = values.get("container_max", {})
    for field, defaults in (("container_limits", LIMITS), ("container_requests", REQUESTS)):
        for name, given in {**defaults, **values.get(field, {})}.items():
            if name in most and amount(given) > amount(most[name]):
                remedy = "The API server would refuse the limit range. Lower the default, or raise the greatest."
                wrong = f"is above the greatest, {most[name]}" if name in values.get(field, {}) else None
                yield f"{field}.{name}", wrong or f"is left at {given}, above the greatest, {most[name]}", remedy
    for name, request in {**REQUESTS, **values.get("container_requests", {})}.items():
        limit = {**LIMITS, **values.get("container_limits", {})}[name] if name in LIMITS else request
        if amount(request) > amount(limit):
            remedy = "The API server would refuse the limit range. Lower it, or raise the limit."
            yield f"container_requests.{name}", f"is above the limit, {limit}", remedy


def _label(value: dict[str, Any]) -> tuple[str, str] | None:
    for key in value:
        if key.startswith("pod-security.kubernetes.io/"):
            remedy = "The namespace enforces the restricted standard, whatever else it is labelled. Remove it."
            return f"holds {key}", remedy
    return pod_metadata(value)


@arguments(
    together=_bounds,
    quota=quantities,
    container_requests=quantities,
    container_limits=quantities,
    container_max=quantities,
    labels=_label,
)
class SandboxNamespaceArgs(TypedDict):
    """Arguments of SandboxNamespace."""

    labels: NotRequired[dict[str, pulumi.Input[str]]]
    """Labels of the namespace, for selectors. Default none beside Pod Security's."""
    quota: NotRequired[dict[str, str]]
    """What all of the namespace has together, as in a ResourceQuota: `pods`, `limits.cpu`, `requests.storage`,
    `count/sandboxes.agents.x-k8s.io`. Default no load balancers and no node ports; what is given comes on top."""
    container_requests: NotRequired[dict[str, str]]
    """The requests of a container that names none. Default 250m CPU, 512Mi memory and ephemeral storage, those of
    upstream's sandboxes."""
    container_limits: NotRequired[dict[str, str]]
    """The limits of a container that names none. Default 500m CPU, 1Gi memory and ephemeral storage, those of
    upstream's sandboxes."""
    container_max: NotRequired[dict[str, str]]
    """The greatest limits that a container may name. Default unbounded."""
    priority: NotRequired[PriorityArgs]
    """A PriorityClass, named as the namespace, for templates to name. Default none."""


class SandboxNamespace(pulumi.ComponentResource):
    """A namespace of the component's own name that admits restricted pods only."""

    namespace_name: pulumi.Output[str]
    """The namespace's name; known once it and its bounds exist."""
    priority_class: pulumi.Output[str]
    """The name of its PriorityClass, for a template; empty if it has none."""

    def __init__(self, name: str, args: SandboxNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxNamespaceArgs, name, args)
        if found := dns_label(name):
            raise ArgumentError([Problem(name, "the name", *found)])
        super().__init__("agent-sandbox:index:SandboxNamespace", name, {**args}, opts)
        labels = {**args.get("labels", {}), **MANAGED_BY, **POD_SECURITY_RESTRICTED}
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        namespace = KubernetesObject(f"{name}-namespace", manifest, pulumi.ResourceOptions(parent=self))
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        bounds = [KubernetesObject(f"{name}-{role}", each, inside) for role, each in _bounds_of(name, args).items()]
        self.priority_class = pulumi.Output.from_input("")
        if "priority" in args:
            made = KubernetesObject(
                f"{name}-priority", _priority(name, args["priority"]), pulumi.ResourceOptions(parent=self)
            )
            self.priority_class = made.id.apply(lambda _: name)
        self.namespace_name = pulumi.Output.all(*(each.id for each in bounds)).apply(lambda _: name)
        self.register_outputs({"namespace_name": self.namespace_name, "priority_class": self.priority_class})


def _bounds_of(name: str, args: SandboxNamespaceArgs) -> dict[str, Manifest]:
    def metadata(own: str) -> dict[str, Any]:
        return {"name": own, "namespace": name, "labels": MANAGED_BY}

    container: dict[str, Any] = {
        "type": "Container",
        "default": {**LIMITS, **args.get("container_limits", {})},
        "defaultRequest": {**REQUESTS, **args.get("container_requests", {})},
    }
    if "container_max" in args:
        container["max"] = args["container_max"]
    return {
        "quota": {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": metadata("sandboxes"),
            "spec": {"hard": {**QUOTA, **args.get("quota", {})}},
        },
        "limits": {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": metadata("sandboxes"),
            "spec": {"limits": [container]},
        },
        "default-deny": network_policy(metadata("default-deny"), {}, [], []),
    }


def _priority(name: str, priority: PriorityArgs) -> Manifest:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name, "labels": MANAGED_BY},
        "value": priority["value"],
        "preemptionPolicy": priority.get("preemption_policy", "Never"),
        "globalDefault": False,
        "description": f"Sandboxes of the namespace {name}",
    }
