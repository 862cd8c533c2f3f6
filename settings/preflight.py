"""Combinations on GKE that are right one by one and wrong together.

GKE refuses some of them half way through an update, and takes others without a word: a warm pool
that never fills, a snapshot that no client may have. Each is told here instead, before anything is
made.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from components._arguments import Problem, show, similar
from components._gke_policies import is_gke, is_global
from components.gke._checks import zone
from components.gke._node_pool import MAX_NODES
from components.gke.network import ranges
from components.gke.standard_cluster import SystemNodes
from settings.fleet import unencrypted_gateway
from settings.identities import accounts_in
from settings.stack_defaults import gateway_class_of

PREFIX = "agent-sandbox:"
RUNTIME_OF_POOL = {"gvisor": "gvisor", "kata-qemu": "kata", "kata-clh": "kata"}
"""What a node pool must be prepared for, by a template's runtime."""

PODS_PER_NODE = 110
ADDRESSES_GOOGLE_KEEPS = 4
"""In each subnet's first range: its ends and two more."""

Values = Mapping[str, Any]


def problems(values: Values, cluster: Values) -> Iterator[Problem]:
    """What is wrong with a stack file's `values`; `cluster` is its cluster's entry, defaults included."""
    for check in (_controllers, _runtimes, _snapshots, _room, _identities, _network):
        yield from check(values, cluster)
    if values.get("environment") == "prod":
        yield from _production(values, cluster)


def _problem(key: str, value: object, wrong: str, remedy: str) -> Problem:
    return Problem(PREFIX + key, value if isinstance(value, str) and value == "nothing" else show(value), wrong, remedy)


def _controllers(values: Values, cluster: Values) -> Iterator[Problem]:
    managed = values.get("controller", {}).get("source") == "managed"
    if cluster["agentSandbox"] and not managed:
        remedy = "Both would own the same CRDs. Set agent-sandbox:controller.source to managed, which is enough."
        yield _problem("cluster.agentSandbox", True, "is given beside upstream's controller", remedy)
    if managed and not cluster["agentSandbox"]:
        remedy = "Nobody would make a sandbox. Remove it: the source managed switches the add-on on."
        yield _problem("cluster.agentSandbox", False, "is given, though the controller's source is managed", remedy)


def _runtimes(values: Values, _: Values) -> Iterator[Problem]:
    pools = {pool.get("runtime", "gvisor") for pool in values.get("nodePools", {}).values()}
    for name, template in values.get("templates", {}).items():
        runtime = template.get("runtime", "gvisor")
        key, wanted = f"templates.{name}.runtime", RUNTIME_OF_POOL.get(runtime)
        if values["target"] == "autopilot":
            if wanted == "kata":
                remedy = "Autopilot has no nested virtualization: its pods would stay Pending. Use gvisor, or standard."
                yield _problem(key, runtime, "is not to be had on Autopilot", remedy)
        elif wanted and wanted not in pools:
            remedy = (
                f"Its pods would stay Pending for ever. Add a pool of runtime {wanted} under agent-sandbox:nodePools."
            )
            yield _problem(key, runtime, "has no node pool", remedy)


def _snapshots(values: Values, cluster: Values) -> Iterator[Problem]:
    snapshots = values.get("snapshots")
    if not snapshots:
        return
    if values["target"] == "autopilot":
        remedy = "GKE snapshots the sandboxes of Standard clusters only. Remove it, or use standard."
        yield _problem("snapshots", snapshots, "is given, though the target is autopilot", remedy)
    elif not any(pool.get("runtime", "gvisor") == "gvisor" for pool in values.get("nodePools", {}).values()):
        remedy = "Only what runs under gVisor can be snapshotted. Add a pool of runtime gvisor."
        yield _problem("snapshots", snapshots, "is given, though no pool runs gVisor", remedy)
    yield from _snapshot_rights(values, snapshots)
    place = cluster["location"]
    region = place.rpartition("-")[0] if zone(place) is None else place
    if snapshots.get("location", region) != region:
        remedy = f"Every snapshot would cross regions, and GKE refuses to restore. Leave it out: it is {region}."
        yield _problem("snapshots.location", snapshots["location"], "is not the cluster's region", remedy)
    if not cluster["podSnapshots"]:
        remedy = "Nobody would take one. Remove it: agent-sandbox:snapshots switches the add-on on."
        yield _problem("cluster.podSnapshots", False, "is given beside agent-sandbox:snapshots", remedy)


def _snapshot_rights(values: Values, snapshots: Values) -> Iterator[Problem]:
    """The bucket is for the accounts that the sandboxes of its namespace run as, and for all of them."""
    used = accounts_in(values, snapshots.get("namespace", values["namespace"]))
    named = snapshots.get("serviceAccounts", used)
    for account in used:
        if account not in named:
            remedy = "Its snapshots would be refused. Add it, or leave the key out: it is the templates' own accounts."
            wrong = f"leaves out {account}, which sandboxes run as"
            yield _problem("snapshots.serviceAccounts", named, wrong, remedy)


def _room(values: Values, cluster: Values) -> Iterator[Problem]:
    """Ranges that would run out of addresses before the pools are full; nodes just stop coming then."""
    if values["target"] == "autopilot":
        return
    system = cluster.get("systemPool", {}).get("maxNodes", SystemNodes.MAX)
    pools = values.get("nodePools", {}).values()
    nodes = system + sum(pool.get("maxNodes", MAX_NODES) for pool in pools)
    pods = system * _addresses_of_pods(PODS_PER_NODE) + sum(
        pool.get("maxNodes", MAX_NODES) * _addresses_of_pods(pool.get("maxPodsPerNode", PODS_PER_NODE))
        for pool in pools
    )
    known = {name: ipaddress.IPv4Network(text) for name, text in ranges(values.get("network", {})).items()}
    for name, needed, kept in (("nodes", nodes, ADDRESSES_GOOGLE_KEEPS), ("pods", pods, 0)):
        there = known[name].num_addresses - kept
        if there < needed:
            remedy = f"{nodes} nodes need {needed}: the last would never come. Widen it, or lower the pools' maxNodes."
            yield _problem(f"network.{name}", str(known[name]), f"has room for {there} addresses", remedy)


def _addresses_of_pods(most: int) -> int:
    """GKE gives each node twice as many addresses as it may have pods, rounded up to a power of two."""
    return 1 << (2 * most - 1).bit_length()


def _identities(values: Values, _: Values) -> Iterator[Problem]:
    accounts: dict[str, str] = {}
    for name, identity in values.get("identities", {}).items():
        if name == "default":
            remedy = "Every pod of the namespace that names no account would have its rights. Choose another name."
            yield _problem("identities.default", name, "is the account of whoever names none", remedy)
        if identity["namespace"] not in values["namespaces"]:
            remedy = f"There would be nowhere to put it. {similar(identity['namespace'], values['namespaces'])}"
            wrong = "is not one of the namespaces"
            yield _problem(f"identities.{name}.namespace", identity["namespace"], wrong, remedy)
        account = identity.get("impersonate")
        if account and account in accounts:
            remedy = "One of them would get the other's rights. Give each an account of its own."
            wrong = f"is also impersonated by {accounts[account]}"
            yield _problem(f"identities.{name}.impersonate", account, wrong, remedy)
        accounts.setdefault(str(account), name)


def _network(values: Values, cluster: Values) -> Iterator[Problem]:
    network = values.get("network", {})
    if network.get("nat") is False and cluster.get("privateNodes", True):
        mirrored = values.get("registry", {}).get("mirrors", {"registry-k8s-io": ""})
        foreign = sorted({host for host in _hosts(values) if not host.endswith((".pkg.dev", "gcr.io"))})
        if foreign and not mirrored:
            remedy = "Private nodes have no other way out: images would not be pulled. Leave nat true, or mirror them."
            yield _problem("network.nat", False, f"is given, though images come from {', '.join(foreign)}", remedy)
    proxies, gateway_class = network.get("proxies"), gateway_class_of(values)
    if not proxies and is_gke(gateway_class) and not is_global(gateway_class):
        remedy = "GKE would never give the Gateway an address. Give the proxies a range, as in 10.9.0.0/24."
        yield _problem("network.proxies", "nothing", f"is given, though {gateway_class} has its proxies there", remedy)
    of_fleet = network.get("fleetProxies", {})
    if of_fleet and values["region"] not in of_fleet:
        remedy = f"The fleet's Gateway could have no address here. Add a range for {values['region']}, a /26 or wider."
        yield _problem("network.fleetProxies", of_fleet, "has no range for the stack's region", remedy)
    if of_fleet and "fleetProject" not in cluster:
        remedy = "No Gateway of a fleet would use them. Add agent-sandbox:cluster.fleetProject, or remove it."
        yield _problem("network.fleetProxies", of_fleet, "is given, though the cluster is in no fleet", remedy)
    blocks = {f"fleetProxies.{place}": block for place, block in of_fleet.items()}
    for key, block in {**blocks, **({"proxies": proxies} if proxies else {})}.items():
        if ipaddress.IPv4Network(block).prefixlen > 26:
            remedy = "Google Cloud refuses a proxy-only subnet smaller than 64 addresses. Take a /26 or wider."
            yield _problem(f"network.{key}", block, "is too small", remedy)


def _hosts(values: Values) -> Iterator[str]:
    images = [template.get("image") for template in values.get("templates", {}).values()]
    images += [values.get("router", {}).get("image"), values.get("controller", {}).get("image")]
    return (image.partition("/")[0] for image in images if isinstance(image, str))


def _production(values: Values, cluster: Values) -> Iterator[Problem]:
    """What an environment called prod must not do without."""
    if not values.get("protected"):
        remedy = "A mistaken `pulumi destroy` would take cluster and snapshots along. Set it to true."
        yield _problem("protected", values.get("protected", "nothing"), "leaves prod without protection", remedy)
    elif not cluster["deletionProtection"]:
        remedy = "A mistaken change that replaces the cluster would go through. Remove it."
        yield _problem("cluster.deletionProtection", False, "leaves prod without protection", remedy)
    if zone(cluster["location"]) is None:
        remedy = "The control plane would be gone with its zone, and during each upgrade. Use the region."
        yield _problem("cluster.location", cluster["location"], "is a zone, though the environment is prod", remedy)
    if len(values.get("zones", ("a", "b"))) < 2:
        remedy = "Every sandbox would be gone with the zone. Name two or three, or none for GKE's choice."
        yield _problem("zones", values["zones"], "is one zone, though the environment is prod", remedy)
    if cluster.get("privateNodes", True) is False:
        remedy = "Nodes that run what nobody read would be on the internet. Remove it."
        yield _problem("cluster.privateNodes", False, "is given, though the environment is prod", remedy)
    if cluster.get("releaseChannel") == "RAPID":
        remedy = "Its versions are not covered by GKE's service level agreement. Use REGULAR or STABLE."
        yield _problem("cluster.releaseChannel", "RAPID", "is given, though the environment is prod", remedy)
    yield from unencrypted_gateway(values)
    if values.get("router", {}).get("authorizer") == "unsafe-allow-all":
        remedy = "Whoever reaches the router could use every sandbox. Remove it: the default asks for a token."
        yield _problem("router.authorizer", "unsafe-allow-all", "is given, though the environment is prod", remedy)
    for name, pool in values.get("nodePools", {}).items():
        if pool.get("spot"):
            remedy = "Sandboxes would end at 30 seconds' notice, in the middle of what they do. Remove it."
            yield _problem(f"nodePools.{name}.spot", True, "is given, though the environment is prod", remedy)
