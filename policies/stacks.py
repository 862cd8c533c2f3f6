"""All the objects of a stack, or of the files that are checked together, found by kind and name."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from policies.objects import Object
from policies.pods import Pod, pods
from policies.values import UNKNOWN, get, mappings
from policies.workloads import SANDBOX_KINDS

KINDS = frozenset(
    {
        *SANDBOX_KINDS,
        "SandboxWarmPool",
        "SandboxClaim",
        "NetworkPolicy",
        "CiliumNetworkPolicy",
        "ClusterRoleBinding",
        "RoleBinding",
        "ResourceQuota",
        "HorizontalPodAutoscaler",
        "Deployment",
        "Service",
        "Ingress",
        "Gateway",
        "HTTPRoute",
        "GRPCRoute",
        "GCPBackendPolicy",
        "CustomResourceDefinition",
        "Cluster",
        "NodePool",
    }
)
"""What rules over a stack look at; the rest need not be kept."""


def matters(one: Object) -> bool:
    """Whether a rule over the whole stack looks at `one`."""
    if one.kind == "CustomResourceDefinition":
        return isinstance(one.name, str) and one.name.endswith("agents.x-k8s.io")
    if one.kind == "Deployment":
        return "sandbox" in str(one.name) or _runs_a_router(one)
    return one.kind in KINDS


def _runs_a_router(one: Object) -> bool:
    if "router" in str(get(one.data, "spec", "template", "metadata", "labels")):
        return True
    containers = get(one.data, "spec", "template", "spec", "containers")
    return any("router" in str(get(each, "image")) for _, each in mappings(containers, ""))


class Stack:
    """The objects by kind."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self.by_kind: dict[str, list[Object]] = defaultdict(list)
        for one in objects:
            self.by_kind[one.kind].append(one)

    def all(self, *kinds: str) -> Iterator[Object]:
        """The objects of these kinds; of Kubernetes kinds and of GKE's."""
        for kind in kinds:
            yield from self.by_kind[kind]

    def names(self, kind: str, namespace: Any) -> list[Any]:
        """The names of the objects of a kind in a namespace; UNKNOWN among them where one is not known."""
        if namespace is UNKNOWN:
            return [UNKNOWN, *(one.name for one in self.by_kind[kind])]
        return [one.name for one in self.by_kind[kind] if one.namespace in (namespace, UNKNOWN)]

    def find(self, kind: str, namespace: Any, name: Any) -> Object | None:
        for one in self.by_kind[kind]:
            if one.name == name and one.namespace == namespace:
                return one
        return None

    def sandboxes(self) -> Iterator[Pod]:
        """The pod of each Sandbox and SandboxTemplate."""
        for one in self.all(*SANDBOX_KINDS):
            for pod in pods(one):
                if pod.is_sandbox:
                    yield pod


def selects(selector: Any, labels: Any) -> bool:
    """Whether a Kubernetes label selector certainly selects `labels`."""
    if not isinstance(selector, Mapping) or labels is UNKNOWN:
        return bool(selector == {})
    labels = labels or {}
    wanted = selector.get("matchLabels") or {}
    if not isinstance(wanted, Mapping) or any(labels.get(key) != value for key, value in wanted.items()):
        return False
    expressions = selector.get("matchExpressions") or []
    return isinstance(expressions, list) and all(_fits(each, labels) for each in expressions)


def _fits(expression: Any, labels: Mapping[str, Any]) -> bool:
    key, operator, values = (get(expression, name) for name in ("key", "operator", "values"))
    values = values if isinstance(values, list) else []
    answers = {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }
    return answers.get(str(operator), False)
