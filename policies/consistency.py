"""What only the whole stack shows: whether its parts fit together."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from policies.controls import Hit, Parameters, Topic, untold
from policies.gke_cluster import CLUSTER
from policies.gke_node_pool import NODE_POOL
from policies.objects import Object
from policies.pods import pods
from policies.stacks import Stack
from policies.values import UNKNOWN, child, get

TOPIC = Topic(
    "consistency",
    "The parts of a stack fit together, from the claim to the node",
    "stack",
    url="https://github.com/kubernetes-sigs/agent-sandbox/blob/main/docs/api.md",
    parameters={
        "elsewhere": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Objects that another stack makes, as Kind/namespace/name.",
        }
    },
)


@TOPIC.control(
    "claimPool",
    severity="high",
    risk="The claim is never bound.",
    fix="Correct the name, add the warm pool, or list it under elsewhere.",
)
def claim_pool(stack: Stack, parameters: Parameters) -> Iterator[Hit]:
    """The warm pool that a claim names is in the stack."""
    yield from _dangling(stack, parameters, "SandboxClaim", ("spec", "warmPoolRef", "name"), "SandboxWarmPool")


@TOPIC.control(
    "poolTemplate",
    severity="high",
    risk="The pool never fills.",
    fix="Correct the name, add the template, or list it under elsewhere.",
)
def pool_template(stack: Stack, parameters: Parameters) -> Iterator[Hit]:
    """The template that a warm pool names is in the stack."""
    path = ("spec", "sandboxTemplateRef", "name")
    yield from _dangling(stack, parameters, "SandboxWarmPool", path, "SandboxTemplate")


def _dangling(stack: Stack, parameters: Parameters, kind: str, path: tuple[str, ...], target: str) -> Iterator[Hit]:
    for one in stack.all(kind):
        name, field = get(one.data, *path), ".".join(path)
        known = stack.names(target, one.namespace)
        if name is UNKNOWN or (UNKNOWN in known and name not in known):
            yield untold(field, one)
        elif name not in known and f"{target}/{one.namespace}/{name}" not in parameters["elsewhere"]:
            there = ", ".join(sorted(each for each in known if isinstance(each, str))) or "none"
            yield Hit(field, f"names no {target} of this stack in its namespace (there are: {there})", subject=one)


@TOPIC.control(
    "nodePools",
    severity="high",
    risk="Sandboxes find no node that they may run on, or the rest of the cluster finds none.",
    fix="Add a node pool with sandboxConfig type GVISOR, and keep an ordinary one beside it.",
)
def node_pools(stack: Stack, _: Parameters) -> Iterator[Hit]:
    """A Standard cluster with gVisor templates has a pool with gVisor and an ordinary one."""
    clusters = [one for one in stack.all("Cluster") if one.type == CLUSTER]
    if len(clusters) != 1 or get(clusters[0].data, "enableAutopilot") is True:
        return
    if not any(pod.get("runtimeClassName") == "gvisor" for pod in stack.sandboxes()):
        return
    found = [get(one.data, "nodeConfig", "sandboxConfig") for one in stack.all("NodePool") if one.type == NODE_POOL]
    if UNKNOWN in found:
        yield untold("nodePools", clusters[0])
        return
    gvisor = [each for each in found if "GVISOR" in (get(each, "type"), str(get(each, "sandboxType")).upper())]
    ordinary = len(found) - len(gvisor) or get(clusters[0].data, "removeDefaultNodePool") is not True
    if not gvisor:
        yield Hit("nodePools", "holds none with gVisor, though templates ask for it", subject=clusters[0])
    elif not ordinary:
        yield Hit("nodePools", "holds none without gVisor, which GKE's own pods need", subject=clusters[0])


@TOPIC.control(
    "oneController",
    severity="high",
    risk="Two controllers own the same kinds, and each undoes what the other does.",
    fix="Use the add-on, or install the upstream controller; not both.",
)
def one_controller(stack: Stack, _: Parameters) -> Iterator[Hit]:
    """A cluster has GKE's Agent Sandbox add-on or the upstream controller, not both."""
    upstream = [one for one in stack.all("CustomResourceDefinition") if str(one.name).endswith("agents.x-k8s.io")]
    upstream += [one for one in stack.all("Deployment") if one.name == "agent-sandbox-controller"]
    field = "addonsConfig.agentSandboxConfig.enabled"
    for one in stack.all("Cluster"):
        enabled = get(one.data, *field.split("."))
        if one.type == CLUSTER and upstream and enabled is UNKNOWN:
            yield untold(field, one)
        elif one.type == CLUSTER and upstream and enabled is True:
            yield Hit(field, "is true, though the stack installs the upstream controller", subject=one)


@TOPIC.control(
    "quotaFitsPool",
    severity="medium",
    risk="The pool never fills: the quota refuses its last pods, and claims wait.",
    fix="Raise the quota, or lower the pools' replicas.",
)
def quota_fits_pool(stack: Stack, _: Parameters) -> Iterator[Hit]:
    """A namespace's ResourceQuota has room for its warm pools at their full size."""
    needed: dict[Any, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for pool in stack.all("SandboxWarmPool"):
        template = stack.find("SandboxTemplate", pool.namespace, get(pool.data, "spec", "sandboxTemplateRef", "name"))
        replicas = _replicas(stack, pool)
        if template is None or replicas is None:
            continue
        for name, amount in _of_one(template).items():
            needed[pool.namespace][name] += amount * replicas
    for quota in stack.all("ResourceQuota"):
        hard = get(quota.data, "spec", "hard")
        for name, amount in needed[quota.namespace].items():
            limit = get(hard, name)
            room = _quantity(limit)
            if limit is UNKNOWN:
                yield untold(child("spec.hard", name), quota)
            elif room is not None and room < amount:
                yield Hit(child("spec.hard", name), "is less than the namespace's warm pools need", subject=quota)


def _replicas(stack: Stack, pool: Object) -> Decimal | None:
    """A pool's replicas at most: what its autoscaler may make of them, else its own; None where that is unknown."""
    for scaler in stack.all("HorizontalPodAutoscaler"):
        target = get(scaler.data, "spec", "scaleTargetRef")
        if scaler.namespace == pool.namespace and get(target, "name") == pool.name:
            return _quantity(get(scaler.data, "spec", "maxReplicas"))
    replicas = get(pool.data, "spec", "replicas")
    return Decimal(1) if replicas is None else _quantity(replicas)


def _of_one(template: Object) -> dict[str, Decimal]:
    """What one sandbox counts for, by the names that quotas use; init containers run before and count no more."""
    total: dict[str, Decimal] = defaultdict(Decimal)
    total["pods"] = total["count/pods"] = total["count/sandboxes.agents.x-k8s.io"] = Decimal(1)
    for pod in pods(template):
        for path, container in pod.containers:
            if f"{pod.at('containers')}[" not in path:
                continue
            for part in ("requests", "limits"):
                amounts = get(container, "resources", part)
                for name, amount in (amounts if isinstance(amounts, dict) else {}).items():
                    number = _quantity(amount) or Decimal()
                    total[f"{part}.{name}"] += number
                    if part == "requests":
                        total[name] += number
    return total


_UNITS = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal(10**3),
    "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}  # fmt: skip


def _quantity(value: Any) -> Decimal | None:
    """A Kubernetes quantity as a number; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = str(value).strip()
    digits = text.rstrip("numkMGTPEi")
    try:
        number = Decimal(digits) * _UNITS[text[len(digits) :]]
    except (InvalidOperation, KeyError):
        return None
    return number if number.is_finite() else None
