"""Nodes whose pods run under gVisor: a kernel in user space between the agent's code and the node's own.

GKE labels and taints the nodes with sandbox.gke.io/runtime=gvisor and installs the RuntimeClass, all
by itself; a pool that says the same is refused. The cluster has another pool for what is no sandbox.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired

import pulumi

from components._arguments import arguments, require_valid
from components.gke._checks import machine_series
from components.gke._node_pool import NodePoolArgs, node_pool

MACHINE = "e2-standard-2"
"""GKE's guides'. E2 cannot snapshot pods."""

SNAPSHOT_MACHINE = "n2-standard-2"


def _snapshots(args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if args.get("snapshots") and machine_series(args.get("machine_type", SNAPSHOT_MACHINE)) == "e2":
        remedy = "GKE cannot restore on E2, whose processors differ. Take a series of one kind, as n2-standard-2."
        yield "machine_type", "is of the series E2, though pods are to be snapshotted", remedy


@arguments(extends=NodePoolArgs, together=_snapshots)
class GvisorNodePoolArgs(NodePoolArgs):
    """Arguments of GvisorNodePool. The default machine type is e2-standard-2, or n2-standard-2 with `snapshots`."""

    snapshots: NotRequired[bool]
    """Whether pods on it are to be snapshotted. Default false."""


class GvisorNodePool(pulumi.ComponentResource):
    """A pool of the component's own name, scaled from none by what waits for it."""

    pool_name: pulumi.Output[str]
    """The pool's name; known once it exists."""

    def __init__(self, name: str, args: GvisorNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(GvisorNodePoolArgs, name, args)
        super().__init__("agent-sandbox:index:GvisorNodePool", name, {**args}, opts)
        own = {
            "machine_type": args.get("machine_type", SNAPSHOT_MACHINE if args.get("snapshots") else MACHINE),
            "image_type": "COS_CONTAINERD",
            # GKE's API knows MICROVM beside GVISOR; pulumi-gcp 10.2.0 refuses it.
            "sandbox_config": {"type": "GVISOR"},
        }
        self.pool_name = node_pool(f"{name}-pool", name, args, own, self).name
        self.register_outputs({"pool_name": self.pool_name})
