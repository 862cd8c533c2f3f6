"""Nodes whose pods run in Kata virtual machines, and the RuntimeClasses that lead there.

Owns the pool and the RuntimeClasses. kata-deploy, a DaemonSet of the Kata project's, puts the runtime
on the nodes and labels them katacontainers.io/kata-runtime=true; it is privileged, and not installed
here. docs/operations.md tells how.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from components._arguments import arguments, require_valid
from components._kubernetes import MANAGED_BY, KubernetesObject
from components._runtimes import RUNTIMES
from components.gke._checks import machine_series
from components.gke._node_pool import NodePoolArgs, node_pool

MACHINE = "n2-standard-4"
NESTING = ("c2", "c3", "c4", "m1", "m2", "m3", "n1", "n2", "n4")
"""Series with nested virtualization: Intel's, as Compute Engine's guide to it lists them."""

OVERHEAD = {"kata-qemu": {"cpu": "250m", "memory": "160Mi"}, "kata-clh": {"cpu": "250m", "memory": "130Mi"}}
"""What a virtual machine takes beside its containers, as kata-deploy's own RuntimeClasses have it."""


def _nesting(args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if machine_series(args.get("machine_type", MACHINE)) not in NESTING:
        remedy = f"No virtual machine would start in it. Take a series of: {', '.join(NESTING)}."
        yield "machine_type", "has no nested virtualization", remedy


@arguments(extends=NodePoolArgs, together=_nesting)
class KataNodePoolArgs(NodePoolArgs):
    """Arguments of KataNodePool. The default machine type is n2-standard-4; its series must have nested
    virtualization. The least nodes are 1 by default: the autoscaler learns from a node that runs that another one
    would have the runtime's label.
    """


class KataNodePool(pulumi.ComponentResource):
    """A pool of the component's own name with nested virtualization, and the RuntimeClasses kata-qemu and kata-clh.

    Pass a Kubernetes provider beside the Google Cloud one: opts.providers.
    """

    pool_name: pulumi.Output[str]
    """The pool's name; known once it exists."""

    def __init__(self, name: str, args: KataNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(KataNodePoolArgs, name, args)
        super().__init__("agent-sandbox:index:KataNodePool", name, {**args}, opts)
        own = {
            "machine_type": args.get("machine_type", MACHINE),
            "image_type": "UBUNTU_CONTAINERD",
            "advanced_machine_features": {"threads_per_core": 2, "enable_nested_virtualization": True},
        }
        pool = node_pool(f"{name}-pool", name, {"min_nodes": 1, **args}, own, self)
        for handler, overhead in OVERHEAD.items():
            manifest = {
                "apiVersion": "node.k8s.io/v1",
                "kind": "RuntimeClass",
                "metadata": {"name": handler, "labels": MANAGED_BY},
                "handler": handler,
                "overhead": {"podFixed": overhead},
                "scheduling": {"nodeSelector": RUNTIMES[handler].node_selector},
            }
            KubernetesObject(f"{name}-{handler}", manifest, pulumi.ResourceOptions(parent=self))
        self.pool_name = pool.name
        self.register_outputs({"pool_name": self.pool_name})
