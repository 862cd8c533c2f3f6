"""What untrusted code can reach, and who can reach it.

The controller manages a policy for each template, unless told not to; a bare Sandbox has none. Where the
rules are a user's own, they must not lead to private ranges, the metadata server or the whole cluster.
"""

import ipaddress
from collections.abc import Iterator
from typing import Any

from policies.controls import Hit, Parameters, Topic, untold
from policies.objects import Object
from policies.pods import Pod
from policies.stacks import Stack, selects
from policies.values import UNKNOWN, get

TOPIC = Topic(
    "sandbox-network",
    "Sandboxes reach the public internet at most, and only the router reaches them",
    "stack",
    framework="Agent Sandbox threat model",
    url="https://github.com/kubernetes-sigs/agent-sandbox/tree/main/examples/policy/network-policy-management",
    parameters={
        "allowedEgress": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Ranges (CIDR) of private addresses that sandboxes may reach, as in 10.10.10.100/32.",
        }
    },
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PRIVATE = tuple(
    ipaddress.ip_network(each)
    for each in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",  # link-local, with every cloud's metadata server
        "fc00::/7",
        "fe80::/10",
    )
)
"""What the controller's own policy keeps sandboxes from."""

METADATA_SERVER = ("169.254.169.254/32", "169.254.169.252/32")
"""GKE's: under Dataplane V2 at port 80 of the first, else at port 988 of the second."""

Rules = tuple[Object, str, Any]
"""An object with a list of egress or ingress rules at a path."""


@TOPIC.control(
    "managedNetworkPolicy",
    severity="critical",
    risk="The code reaches every other sandbox, every service of the cluster and the metadata server.",
    fix="Leave networkPolicyManagement at Managed, or add a NetworkPolicy with both policyTypes that selects the pods.",
)
def managed_network_policy(stack: Stack, _: Parameters) -> Iterator[Hit]:
    """A template's network policy is managed; otherwise a NetworkPolicy for both directions holds."""
    for pod in stack.sandboxes():
        one = pod.owner
        if one.kind == "SandboxTemplate":
            managed = get(one.data, "spec", "networkPolicyManagement")
            if managed is None or managed == "Managed":
                continue
            field, problem = "spec.networkPolicyManagement", "is not Managed, and no NetworkPolicy selects the pods"
            if managed is UNKNOWN:
                yield untold(field, one)
                continue
        else:
            field, problem = "spec.podTemplate", "is a bare Sandbox's, and no NetworkPolicy selects the pod"
        if not any(_isolates(policy, pod) for policy in stack.all("NetworkPolicy", "CiliumNetworkPolicy")):
            yield Hit(field, problem, subject=one)


def _isolates(policy: Object, pod: Pod) -> bool:
    """Whether a network policy certainly holds for both directions of the pod's traffic."""
    if policy.namespace != pod.owner.namespace:
        return False
    selector = "endpointSelector" if policy.kind == "CiliumNetworkPolicy" else "podSelector"
    if not selects(get(policy.data, "spec", selector), get(pod.metadata, "labels")):
        return False
    if policy.kind == "CiliumNetworkPolicy":
        return all(get(policy.data, "spec", direction) is not None for direction in ("ingress", "egress"))
    types = get(policy.data, "spec", "policyTypes")
    return isinstance(types, list) and "Ingress" in types and "Egress" in types


def _rules(stack: Stack, direction: str) -> Iterator[Rules]:
    """Rules of templates' own network policies, and of those that select sandboxes which nothing else isolates."""
    for one in stack.all("SandboxTemplate"):
        if get(one.data, "spec", "networkPolicyManagement") != "Unmanaged":
            yield one, f"spec.networkPolicy.{direction}", get(one.data, "spec", "networkPolicy", direction)
    sandboxes = list(stack.sandboxes())
    for policy in stack.all("NetworkPolicy"):
        if any(_selected(policy, pod) for pod in sandboxes):
            yield policy, f"spec.{direction}", get(policy.data, "spec", direction)


def _selected(policy: Object, pod: Pod) -> bool:
    same = policy.namespace == pod.owner.namespace
    return same and selects(get(policy.data, "spec", "podSelector"), get(pod.metadata, "labels"))


@TOPIC.control(
    "openEgress",
    severity="critical",
    risk="The code reaches private networks, other pods or the cloud's metadata server, and its credentials.",
    fix="Name pods by label, one address, a range in allowedEgress, or 0.0.0.0/0 except the private ranges.",
)
def open_egress(stack: Stack, parameters: Parameters) -> Iterator[Hit]:
    """No rule lets sandboxes out to everything, to the whole cluster, to private ranges or to the metadata server.

    On GKE the metadata server is open to those with a service account of their own: Workload Identity hands out that
    account's tokens alone.
    """
    allowed = [each for each in map(_network, parameters["allowedEgress"]) if each]
    for one, path, rules in _rules(stack, "egress"):
        if rules is UNKNOWN:
            yield untold(path, one)
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            if not _is_for_an_identity(stack, one, rule):
                yield from _open(one, f"{path}[{index}]", rule, allowed)


def _is_for_an_identity(stack: Stack, one: Object, rule: Any) -> bool:
    """Whether a rule opens GKE's metadata server and nothing else, to pods that are somebody to Workload Identity."""
    blocks = [get(peer, "ipBlock", "cidr") for peer in _list(get(rule, "to"))]
    ports = [get(each, "port") for each in _list(get(rule, "ports"))]
    if not (
        blocks and ports and all(each in METADATA_SERVER for each in blocks) and all(p in (80, 988) for p in ports)
    ):
        return False
    pods = [
        pod for pod in stack.sandboxes() if pod.owner is one or (one.kind == "NetworkPolicy" and _selected(one, pod))
    ]
    accounts = [pod.get("serviceAccountName") for pod in pods]
    own = all(isinstance(each, str) and each not in ("", "default") for each in accounts)
    return own and any(_has_workload_identity(cluster) for cluster in stack.all("Cluster"))


def _has_workload_identity(cluster: Object) -> bool:
    pool = get(cluster.data, "workloadIdentityConfig", "workloadPool")
    return get(cluster.data, "enableAutopilot") is True or (isinstance(pool, str) and bool(pool))


def _open(one: Object, path: str, rule: Any, allowed: list[Network]) -> Iterator[Hit]:
    peers = get(rule, "to")
    if rule is UNKNOWN or peers is UNKNOWN:
        yield untold(path, one)
    elif not peers:
        if not _only_dns(rule):
            yield Hit(path, "names no destination, so it allows all of them", subject=one)
    elif not isinstance(peers, list):
        yield Hit(f"{path}.to", "is not a list", subject=one)
    else:
        for index, peer in enumerate(peers):
            yield from _open_peer(one, f"{path}.to[{index}]", peer, allowed)


def _open_peer(one: Object, path: str, peer: Any, allowed: list[Network]) -> Iterator[Hit]:
    block = get(peer, "ipBlock")
    if peer is UNKNOWN or block is UNKNOWN or get(block, "cidr") is UNKNOWN:
        yield untold(path, one)
    elif block is not None:
        network = _network(get(block, "cidr"))
        if network is None:
            yield Hit(f"{path}.ipBlock.cidr", "is not a range of addresses", subject=one)
            return
        excepted = [each for each in map(_network, _list(get(block, "except"))) if each]
        if any(_reaches(network, excepted, private, allowed) for private in PRIVATE):
            yield Hit(f"{path}.ipBlock", "reaches private addresses or the metadata server", subject=one)
    elif get(peer, "namespaceSelector") == {} and not get(peer, "podSelector"):
        yield Hit(path, "is every pod of the cluster", subject=one)


def _reaches(network: Network, excepted: list[Network], private: Network, allowed: list[Network]) -> bool:
    """Whether a block without its exceptions holds an address of a private range that is not allowed."""
    if network.version != private.version or not network.overlaps(private):
        return False
    if network.num_addresses == 1 and not network.is_link_local:
        return False  # one address is a choice
    common = network if network.prefixlen >= private.prefixlen else private
    return not any(_within(common, each) for each in (*excepted, *allowed))


def _within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # of one version


def _network(cidr: Any) -> Network | None:
    try:
        return ipaddress.ip_network(cidr, strict=False) if isinstance(cidr, str) else None
    except ValueError:
        return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _only_dns(rule: Any) -> bool:
    ports = _list(get(rule, "ports"))
    return bool(ports) and all(get(each, "port") in (53, 53.0) and get(each, "endPort") is None for each in ports)


@TOPIC.control(
    "openIngress",
    severity="high",
    risk="Whoever reaches the pod's network speaks to the code past the router and its authorizer.",
    fix="Allow the router alone: namespace agent-sandbox-system, pods with the label app: sandbox-router.",
)
def open_ingress(stack: Stack, _: Parameters) -> Iterator[Hit]:
    """No rule lets everybody in to sandboxes."""
    for one, path, rules in _rules(stack, "ingress"):
        if rules is UNKNOWN:
            yield untold(path, one)
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            where, peers = f"{path}[{index}]", get(rule, "from")
            if rule is UNKNOWN or peers is UNKNOWN:
                yield untold(where, one)
            elif not peers:
                yield Hit(where, "names no source, so it allows all of them", subject=one)
            for number, peer in enumerate(_list(peers)):
                everyone = get(peer, "namespaceSelector") == {} and not get(peer, "podSelector")
                block = _network(get(peer, "ipBlock", "cidr"))
                if everyone or (block is not None and block.prefixlen == 0):
                    yield Hit(f"{where}.from[{number}]", "is everybody", subject=one)
