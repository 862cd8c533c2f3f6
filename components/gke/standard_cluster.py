"""A Standard cluster: its own node pools, of which it makes one ordinary pool for what is not a sandbox.

Dataplane V2 enforces the network policies that templates come with; without it, or another enforcer,
they are accepted and do nothing. It cannot be chosen away here, nor changed later.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from components._arguments import arguments, require_valid
from components._checks import between
from components.gke._checks import machine_type, region, zone, zones
from components.gke._cluster import Cluster
from components.gke._cluster_args import ClusterArgs, addons, common
from components.gke._node_pool import hardened

COMPONENTS = ("SYSTEM_COMPONENTS", "WORKLOADS")


def _bounds(args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    least, most = args.get("min_nodes", SystemNodes.MIN), args.get("max_nodes", SystemNodes.MAX)
    if least > most:
        yield "min_nodes", f"is more than max_nodes, {most}", "GKE would refuse the pool. Make it no more."


class SystemNodes:
    """Defaults of the ordinary pool: room for the controller, two routers and GKE's own pods in each zone."""

    MACHINE = "e2-standard-4"
    MIN = 1
    MAX = 3


@arguments(
    together=_bounds,
    machine_type=machine_type,
    min_nodes=between(1, 1000, "Controller and router would have no node: gVisor nodes take sandboxes only."),
    max_nodes=between(1, 1000, "Controller and router would have no node: gVisor nodes take sandboxes only."),
)
class SystemPoolArgs(TypedDict):
    """The ordinary pool."""

    machine_type: NotRequired[str]
    """Default e2-standard-4."""
    min_nodes: NotRequired[int]
    """The least nodes in all zones together. Default 1."""
    max_nodes: NotRequired[int]
    """The most nodes in all zones together. Default 3."""


def _zones_of_region(args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    place = args["location"]
    wanted = place.rpartition("-")[0] if zone(place) is None else place
    for each in args.get("zones", []):
        if each.rpartition("-")[0] != wanted:
            yield "zones", f"holds {each}, which is not in {wanted}", "GKE would refuse it. Name zones of the region."


def _location(value: str) -> tuple[str, str] | None:
    return None if zone(value) is None else region(value)


@arguments(extends=ClusterArgs, together=_zones_of_region, location=_location, zones=zones)
class StandardClusterArgs(ClusterArgs):
    """Arguments of StandardCluster."""

    zones: NotRequired[list[str]]
    """Where nodes are. Default what GKE chooses: three zones of a region, or the one that is the location."""
    system_pool: NotRequired[SystemPoolArgs]
    """The ordinary pool. Default one to three e2-standard-4."""


class StandardCluster(Cluster):
    """A cluster of the component's own name with an ordinary pool, `system`; sandboxes need a pool of their own."""

    def __init__(self, name: str, args: StandardClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(StandardClusterArgs, name, args)
        super().__init__("agent-sandbox:index:StandardCluster", name, {**args}, opts)
        # The first pool lives a minute; what it was made with is of no interest later, and must replace nothing.
        options = pulumi.ResourceOptions(parent=self, ignore_changes=["nodeConfig", "initialNodeCount"])
        sent = {**common(name, args), **_own(args)}
        cluster = gcp.container.Cluster(f"{name}-cluster", **sent, opts=options)
        self.offer(name, args, cluster, [self._system_pool(name, args, cluster)])

    def _system_pool(self, name: str, args: StandardClusterArgs, cluster: "gcp.container.Cluster") -> pulumi.Resource:
        pool = args.get("system_pool", {})
        sent: dict[str, Any] = {
            "name": "system",
            "project": args["project"],
            "location": args["location"],
            "cluster": cluster.name,
            "initial_node_count": 1,
            "autoscaling": {
                "total_min_node_count": pool.get("min_nodes", SystemNodes.MIN),
                "total_max_node_count": pool.get("max_nodes", SystemNodes.MAX),
                "location_policy": "BALANCED",
            },
            "management": {"auto_repair": True, "auto_upgrade": True},
            "node_config": {
                **hardened(args["node_service_account"], args.get("labels")),
                "machine_type": pool.get("machine_type", SystemNodes.MACHINE),
                "image_type": "COS_CONTAINERD",
            },
        }
        return gcp.container.NodePool(f"{name}-system", **sent, opts=pulumi.ResourceOptions(parent=self))


def _own(args: StandardClusterArgs) -> dict[str, Any]:
    """What only a Standard cluster is told."""
    return {
        "node_locations": args.get("zones"),
        "initial_node_count": 1,
        "remove_default_node_pool": True,
        # The first pool, too, never runs as the default account, which a hardened project does not have.
        "node_config": hardened(args["node_service_account"], args.get("labels")),
        "datapath_provider": "ADVANCED_DATAPATH",
        "enable_shielded_nodes": True,
        "workload_identity_config": {"workload_pool": f"{args['project']}.svc.id.goog"},
        "gateway_api_config": {"channel": "CHANNEL_STANDARD"},
        "addons_config": {**addons(args), "http_load_balancing": {"disabled": False}},
        "cluster_autoscaling": {"enabled": False, "autoscaling_profile": "OPTIMIZE_UTILIZATION"},
        "logging_config": {"enable_components": list(COMPONENTS)},
        "monitoring_config": {
            "enable_components": ["SYSTEM_COMPONENTS"],
            "managed_prometheus": {"enabled": True},
            "advanced_datapath_observability_config": {"enable_metrics": True, "enable_relay": False},
        },
    }
