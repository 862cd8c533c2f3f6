"""A network for one cluster: a subnet with ranges for pods and services, and a way out.

Owns the VPC network unless it is another's, its subnets, the router and Cloud NAT, and the one firewall rule that GKE
does not make itself. What GKE opens between its control plane, its nodes and its load balancers is GKE's.
"""

import ipaddress
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from components._arguments import arguments, require_valid
from components._checks import Finding
from components.gke._checks import network_name, private_range, project_id, region

RANGES = {"nodes": "10.0.0.0/20", "pods": "10.4.0.0/14", "services": "10.8.0.0/20"}
"""4096 addresses for nodes, a thousand nodes' worth of pods at 256 each, and 4096 services."""

HEALTH_CHECKS = ("35.191.0.0/16", "130.211.0.0/22")
"""Where Google's load balancers send health checks from, as their documentation lists it."""


def ranges(args: Mapping[str, Any]) -> dict[str, str]:
    """Every range of the network by its name, defaults included."""
    return {**RANGES, **{name: args[name] for name in ("nodes", "pods", "services", "proxies") if name in args}}


def _ranges_of_regions(value: dict[str, str]) -> Finding:
    for place, text in value.items():
        if found := region(place) or private_range(text):
            return f"holds {place}: {text}, which {found[0]}", found[1]
    return None


def _apart(args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    known = {name: ipaddress.IPv4Network(text) for name, text in ranges(args).items()}
    of_fleet = args.get("fleet_proxies", {})
    known |= {f"fleet_proxies.{place}": ipaddress.IPv4Network(text) for place, text in of_fleet.items()}
    for (one, its), (other, others) in itertools.combinations(known.items(), 2):
        if its.overlaps(others):
            field, wrong = (other, one) if other.partition(".")[0] in args else (one, other)
            remedy = "Google Cloud refuses the subnet half way through the update. Move one of the two."
            yield field, f"overlaps {wrong} ({known[wrong]})", remedy


@arguments(
    together=_apart,
    project=project_id,
    region=region,
    nodes=private_range,
    pods=private_range,
    services=private_range,
    proxies=private_range,
    fleet_proxies=_ranges_of_regions,
    vpc=network_name,
)
class NetworkArgs(TypedDict):
    """Arguments of Network."""

    project: str
    """The project's id."""
    region: str
    """The subnets' region, the cluster's."""
    nodes: NotRequired[str]
    """Addresses of nodes. Default 10.0.0.0/20. It can grow later, not shrink."""
    pods: NotRequired[str]
    """Addresses of pods; each node takes 256 of them. Default 10.4.0.0/14. It cannot change later."""
    services: NotRequired[str]
    """Addresses of services. Default 10.8.0.0/20. It cannot change later."""
    proxies: NotRequired[str]
    """Addresses of a regional Gateway's proxies, at least a /26. Default none: global Gateways have no need."""
    fleet_proxies: NotRequired[dict[str, str]]
    """Addresses of the proxies of a fleet's internal Gateway, by region and each at least a /26, the same for every
    member: the range of this region is made here, and requests may come from all of them. Default none."""
    vpc: NotRequired[str]
    """The name of a VPC network of the project that is there already, for a second cluster beside another: the
    clusters behind one internal Gateway are in one network. Default a network of its own."""
    nat: NotRequired[bool]
    """Whether nodes without public addresses reach the internet, through Cloud NAT. Default true."""
    flow_logs: NotRequired[float]
    """The share of flows that is logged, from 0 to 1. Default 0: logs are paid for by volume."""


class Network(pulumi.ComponentResource):
    """A network of the component's own name."""

    network_id: pulumi.Output[str]
    """The network's id, for a cluster."""
    subnetwork_id: pulumi.Output[str]
    """The subnet's id, for a cluster."""
    pods_range: str
    """The name of the pods' secondary range."""
    services_range: str
    """The name of the services' secondary range."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(NetworkArgs, name, args)
        super().__init__("agent-sandbox:index:Network", name, {**args}, opts)
        self.pods_range, self.services_range = "pods", "services"
        network = self._network(name, args)
        subnetwork = self._subnetwork(name, args, network)
        if "proxies" in args:
            self._proxies(f"{name}-proxies", args, network, "REGIONAL_MANAGED_PROXY", args["proxies"])
        if args["region"] in args.get("fleet_proxies", {}):
            of_fleet = args["fleet_proxies"][args["region"]]
            self._proxies(f"{name}-fleet-proxies", args, network, "GLOBAL_MANAGED_PROXY", of_fleet)
        if sources := [*([args["proxies"]] if "proxies" in args else []), *args.get("fleet_proxies", {}).values()]:
            self._way_in(name, args, network, sources)
        if args.get("nat", True):
            self._nat(name, args, network)
        self.network_id, self.subnetwork_id = network, subnetwork.id
        self.register_outputs({"network_id": self.network_id, "subnetwork_id": self.subnetwork_id})

    def _network(self, name: str, args: NetworkArgs) -> pulumi.Output[str]:
        """Its id; of another's network it is known by the name."""
        if "vpc" in args:
            return pulumi.Output.from_input(f"projects/{args['project']}/global/networks/{args['vpc']}")
        made = gcp.compute.Network(
            f"{name}-network",
            name=name,
            project=args["project"],
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            opts=pulumi.ResourceOptions(parent=self),
        )
        return made.id

    def _subnetwork(self, name: str, args: NetworkArgs, network: pulumi.Output[str]) -> "gcp.compute.Subnetwork":
        known, share = ranges(args), args.get("flow_logs", 0.0)
        return gcp.compute.Subnetwork(
            f"{name}-subnetwork",
            name=name,
            project=args["project"],
            region=args["region"],
            network=network,
            ip_cidr_range=known["nodes"],
            secondary_ip_ranges=[
                {"range_name": self.pods_range, "ip_cidr_range": known["pods"]},
                {"range_name": self.services_range, "ip_cidr_range": known["services"]},
            ],
            private_ip_google_access=True,  # images and logs take Google's own network, not the NAT
            log_config={"flow_sampling": share, "metadata": "INCLUDE_ALL_METADATA"} if share else None,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _proxies(self, name: str, args: NetworkArgs, network: pulumi.Output[str], purpose: str, block: str) -> None:
        gcp.compute.Subnetwork(
            name,
            name=name,
            project=args["project"],
            region=args["region"],
            network=network,
            ip_cidr_range=block,
            purpose=purpose,
            role="ACTIVE",
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _way_in(self, name: str, args: NetworkArgs, network: pulumi.Output[str], sources: list[str]) -> None:
        """From proxies to the router; their load balancer's health checks come along."""
        gcp.compute.Firewall(
            f"{name}-from-proxies",
            name=f"{name}-from-proxies",
            project=args["project"],
            network=network,
            direction="INGRESS",
            source_ranges=[*sources, *HEALTH_CHECKS],
            allows=[{"protocol": "tcp", "ports": ["8080", "8443"]}],  # the router's; health checks ask them too
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _nat(self, name: str, args: NetworkArgs, network: pulumi.Output[str]) -> None:
        options = pulumi.ResourceOptions(parent=self)
        router = gcp.compute.Router(
            f"{name}-router", name=name, project=args["project"], region=args["region"], network=network, opts=options
        )
        gcp.compute.RouterNat(
            f"{name}-nat",
            name=name,
            project=args["project"],
            region=args["region"],
            router=router.name,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            # Ports as needed: with the fixed 64 a node, a few sandboxes that download at once would run dry.
            enable_dynamic_port_allocation=True,
            enable_endpoint_independent_mapping=False,
            min_ports_per_vm=64,
            max_ports_per_vm=8192,
            log_config={"enable": True, "filter": "ERRORS_ONLY"},
            opts=options,
        )
