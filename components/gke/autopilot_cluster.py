"""An Autopilot cluster: GKE runs the nodes, and what runs on them is paid for by what it requests.

What Autopilot does by itself or refuses is not sent: node pools, Dataplane V2, Workload Identity,
shielded nodes, the Gateway API, managed Prometheus.
"""

import pulumi
import pulumi_gcp as gcp

from components._arguments import arguments, require_valid
from components.gke._checks import region
from components.gke._cluster import Cluster
from components.gke._cluster_args import ClusterArgs, addons, common


@arguments(extends=ClusterArgs, location=region)
class AutopilotClusterArgs(ClusterArgs):
    """Arguments of AutopilotCluster."""


class AutopilotCluster(Cluster):
    """A regional cluster of the component's own name, with gVisor for the pods that ask for it."""

    def __init__(self, name: str, args: AutopilotClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(AutopilotClusterArgs, name, args)
        super().__init__("agent-sandbox:index:AutopilotCluster", name, {**args}, opts)
        sent = {
            **common(name, args),
            "enable_autopilot": True,
            "addons_config": addons(args),
            "cluster_autoscaling": {
                "auto_provisioning_defaults": {
                    "service_account": args["node_service_account"],
                    "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
                }
            },
        }
        cluster = gcp.container.Cluster(f"{name}-cluster", **sent, opts=pulumi.ResourceOptions(parent=self))
        self.offer(name, args, cluster, [])
