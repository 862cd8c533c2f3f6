"""What a sandbox may reach and who may reach it, as rules of a NetworkPolicy.

An allow-list: what nothing here names is closed. Private ranges and the metadata server stay closed
inside every range that is open, unless they are opened by their own names.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NotRequired, TypedDict

from components._arguments import arguments
from components._checks import between, dns_label, each, one_of
from components._kubernetes import SYSTEM_NAMESPACE

EVERYTHING = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}
PRIVATE = {
    "IPv4": (
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared address space: pods and nodes of many clusters, GKE's among them
        "169.254.0.0/16",  # link-local: the metadata server
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",  # as 100.64.0.0/10
        "240.0.0.0/4",  # as 100.64.0.0/10
    ),
    "IPv6": (
        "64:ff9b::/96",  # IPv4 by way of a NAT64 gateway, private ranges included
        "fc00::/7",
        "fe80::/10",
    ),
}
METADATA_SERVER = "169.254.169.254"
LINK_LOCAL = ("169.254.0.0/16", "fe80::/10")
PUBLIC_RESOLVERS = {
    "IPv4": ("8.8.8.8", "1.1.1.1"),  # what the controller sets where a template says nothing of its network
    "IPv6": ("2001:4860:4860::8888", "2606:4700:4700::1111"),
}
RESOLVERS = ("public", "cluster", "node-cache", "cloud-dns", "none")
ROUTER = {"app": "sandbox-router"}
"""The router's pods, by the label that the controller's own policies admit."""
DNS_PORTS = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
_PORT = between(1, 65535, "Nothing can listen there.")


def cidr(value: str) -> tuple[str, str] | None:
    """An IPv4 or IPv6 range."""
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        return "is not an address range", f"No rule could be made of it: {error}. Write it as 203.0.113.0/24."
    return None


def _exceptions_inside(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for exception in values.get("exceptions", ()):
        if exception == values["cidr"] or not _contains(values["cidr"], exception):
            remedy = "The API server would refuse the rule. Give a range inside it, or leave it out."
            yield "exceptions", f"holds {exception}, which is not a part of {values['cidr']}", remedy


@arguments(together=_exceptions_inside, cidr=cidr, exceptions=each(cidr), ports=each(_PORT))
class CidrArgs(TypedDict):
    """A range of addresses that sandboxes may reach."""

    cidr: str
    """The range, as in 203.0.113.0/24 or 2001:db8::/32."""
    exceptions: NotRequired[list[str]]
    """Ranges inside it that stay closed. Default none, beside the private ones."""
    ports: NotRequired[list[int]]
    """The TCP ports that are open. Default every port of every protocol."""


@arguments(namespace=dns_label, ports=each(_PORT))
class PeerArgs(TypedDict):
    """Pods of the cluster, at one end of a connection of which a sandbox is the other."""

    namespace: str
    """Their namespace."""
    labels: NotRequired[dict[str, str]]
    """The labels by which they are chosen. Default all pods of the namespace."""
    ports: NotRequired[list[int]]
    """The TCP ports that are open. Default every port of every protocol."""


def _egress_agrees(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    families = values.get("ip_families", list(EVERYTHING))
    for field in ("cidrs", "private_cidrs"):
        for index, entry in enumerate(values.get(field, ())):
            path, given = f"{field}[{index}].cidr", entry["cidr"]
            if family(given) not in families:
                remedy = f"No rule would come of it. Remove it, or add {family(given)} to the families."
                yield path, f"is {family(given)}, which the address families leave out", remedy
            if field == "cidrs" and _inside_any(given, (each for ranges in PRIVATE.values() for each in ranges)):
                remedy = "Private ranges stay closed in cidrs. Move it to private_cidrs, which opens it by name."
                yield path, "is a private range", remedy
            if field == "private_cidrs" and any(_overlap(given, each) for each in LINK_LOCAL):
                remedy = "A node's credentials are there. Leave it out, or say unsafe_metadata_server."
                yield path, "holds link-local addresses, the metadata server's", remedy
    if not families:
        yield "ip_families", "is empty", "Nothing could be opened. Name IPv4, IPv6 or both."


@arguments(
    together=_egress_agrees,
    dns=one_of(RESOLVERS, "It says who resolves names for the sandbox."),
    ip_families=each(one_of(EVERYTHING, "Those are the families that there are.")),
)
class EgressArgs(TypedDict):
    """What sandboxes may reach: what is listed, and nothing else."""

    internet: NotRequired[bool]
    """Whether all public addresses are open. Default false, once `egress` is given at all."""
    cidrs: NotRequired[list[CidrArgs]]
    """Public ranges. Private ranges inside them stay closed. Default none."""
    private_cidrs: NotRequired[list[CidrArgs]]
    """Private ranges that are opened by name: a database in the VPC, say. Default none."""
    services: NotRequired[list[PeerArgs]]
    """Services in the cluster, by the pods behind them. Default none."""
    dns: NotRequired[str]
    """Who resolves names: `public`, resolvers on the internet, which know nothing of the cluster; `cluster`, the
    cluster's own in kube-system; `node-cache`, the same and NodeLocal DNSCache at 169.254.20.10; `cloud-dns`, GKE's, of
    the metadata server's address the port 53 alone; or `none`. Default public, upstream's."""
    ip_families: NotRequired[list[str]]
    """`IPv4`, `IPv6` or both. Rules for one family alone suit enforcers that fail on the other one's blocks,
    kube-router among them. Default both."""
    unsafe_metadata_server: NotRequired[bool]
    """Whether the metadata server is open, with whatever credentials it hands out: those of Workload Identity at
    best, the node's at worst. Default false."""


def family(given: str) -> str:
    """IPv4 or IPv6."""
    return f"IPv{ipaddress.ip_network(given).version}"


def egress_rules(egress: EgressArgs) -> list[dict[str, Any]]:
    """The rules of a NetworkPolicy that let a sandbox out to what `egress` lists."""
    families = egress.get("ip_families", list(EVERYTHING))
    rules = []
    if egress.get("internet", False):
        rules.append({"to": [_block({"cidr": EVERYTHING[each]}, PRIVATE[each]) for each in families]})
    for entry in egress.get("cidrs", ()):
        rules.append({"to": [_block(entry, PRIVATE[family(entry["cidr"])])], **_ports(entry)})
    for entry in egress.get("private_cidrs", ()):
        rules.append({"to": [_block(entry, ())], **_ports(entry)})
    for peer in egress.get("services", ()):
        rules.append({"to": [_pods(peer)], **_ports(peer)})
    rules += _resolver(egress, families)
    if egress.get("unsafe_metadata_server", False):
        # Port 80 of the first under Dataplane V2, port 988 of the second without, as GKE's documentation has it.
        blocks = [{"ipBlock": {"cidr": f"{each}/32"}} for each in (METADATA_SERVER, "169.254.169.252")]
        rules.append({"to": blocks, "ports": [{"port": 80, "protocol": "TCP"}, {"port": 988, "protocol": "TCP"}]})
    return rules


def ingress_rules(clients: Iterable[PeerArgs], router_namespace: str = SYSTEM_NAMESPACE) -> list[dict[str, Any]]:
    """The rules of a NetworkPolicy that let the router in, and `clients`."""
    router = {"from": [_pods({"namespace": router_namespace, "labels": ROUTER})]}
    return [router, *({"from": [_pods(peer)], **_ports(peer)} for peer in clients)]


def dns_fields(egress: EgressArgs) -> dict[str, Any]:
    """The fields of a pod spec that send its questions to the resolvers which `egress` opens."""
    dns = egress.get("dns", "public")
    fields: dict[str, Any] = {"dnsPolicy": "Default" if dns == "none" else "ClusterFirst"}
    if dns == "public":
        servers = [each for name in egress.get("ip_families", ["IPv4"]) for each in PUBLIC_RESOLVERS[name]]
        # Three servers are all that the API takes.
        fields = {"dnsPolicy": "None", "dnsConfig": {"nameservers": servers[:3]}}
    if egress.get("unsafe_metadata_server", False) and dns in ("public", "none"):
        # Google's client libraries ask for it by a name that only a cluster's own resolvers know.
        fields["hostAliases"] = [{"ip": METADATA_SERVER, "hostnames": ["metadata.google.internal"]}]
    return fields


def _resolver(egress: EgressArgs, families: Iterable[str]) -> list[dict[str, Any]]:
    dns = egress.get("dns", "public")
    if dns == "public" and not egress.get("internet", False):
        hosts = [f"{each}/{32 if name == 'IPv4' else 128}" for name in families for each in PUBLIC_RESOLVERS[name]]
        return [{"to": [{"ipBlock": {"cidr": host}} for host in hosts], "ports": DNS_PORTS}]
    peers = {
        "cluster": [_pods({"namespace": "kube-system"})],
        "node-cache": [_pods({"namespace": "kube-system"}), {"ipBlock": {"cidr": "169.254.20.10/32"}}],
        "cloud-dns": [{"ipBlock": {"cidr": "169.254.169.254/32"}}],
    }
    return [{"to": peers[dns], "ports": DNS_PORTS}] if dns in peers else []


def _pods(peer: PeerArgs) -> dict[str, Any]:
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": peer["namespace"]}}
    return {"namespaceSelector": namespace, "podSelector": {"matchLabels": peer.get("labels", {})}}


def _block(entry: CidrArgs, closed: Iterable[str]) -> dict[str, Any]:
    exceptions = [*entry.get("exceptions", ()), *(each for each in closed if _contains(entry["cidr"], each))]
    return {"ipBlock": {"cidr": entry["cidr"], **({"except": exceptions} if exceptions else {})}}


def _ports(entry: CidrArgs | PeerArgs) -> dict[str, Any]:
    return {"ports": [{"port": port, "protocol": "TCP"} for port in entry["ports"]]} if "ports" in entry else {}


def _contains(outer: str, inner: str) -> bool:
    first, second = ipaddress.ip_network(outer), ipaddress.ip_network(inner)
    return first.version == second.version and first.supernet_of(second)  # type: ignore[arg-type]  # same version


def _overlap(one: str, other: str) -> bool:
    return ipaddress.ip_network(one).overlaps(ipaddress.ip_network(other))


def _inside_any(given: str, ranges: Iterable[str]) -> bool:
    return any(_contains(each, given) for each in ranges)


DEFAULT: EgressArgs = {"internet": True}
"""The internet and nothing private, as the controller has it; the ranges that it leaves open are closed too."""
