"""What the provider refuses by itself, before anything is sent: already a preview shows it.

From terraform-provider-google-beta 8.0: ConflictsWith in resource_container_cluster.go, and the
values that node_config.go lets through.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

CLUSTER = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"

CONFLICTS_WITH_AUTOPILOT = (
    "addonsConfig.networkPolicyConfig",
    "addonsConfig.dnsCacheConfig",
    "addonsConfig.statefulHaConfig",
    "clusterAutoscaling.enabled",
    "clusterAutoscaling.resourceLimits",
    "binaryAuthorization.enabled",
    "enableShieldedNodes",
    "networkPolicy",
    "nodePools",
    "removeDefaultNodePool",
    "defaultMaxPodsPerNode",
    "enableIntranodeVisibility",
)

SANDBOX_TYPES = ("GVISOR",)
"""GKE's REST API knows MICROVM too; this release of the provider does not let it through."""

_CLUSTER_NAME = re.compile(r"[a-z0-9-]{1,40}")


def failures(kind: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each property that the provider refuses, and its reason."""
    if kind == CLUSTER:
        if inputs.get("enableAutopilot") is True:
            for path in CONFLICTS_WITH_AUTOPILOT:
                if at(inputs, path) is not None:
                    yield path, "conflicts with enable_autopilot"
        name = inputs.get("name")
        if isinstance(name, str) and not _CLUSTER_NAME.fullmatch(name):
            yield "name", "can only contain up to 40 lowercase letters, numbers and hyphens"
    if kind in (CLUSTER, NODE_POOL):
        sandbox = at(inputs, "nodeConfig.sandboxConfig.type")
        if sandbox is not None and sandbox not in SANDBOX_TYPES:
            yield "nodeConfig.sandboxConfig.type", f"expected type to be one of {list(SANDBOX_TYPES)}, got {sandbox}"


def at(inputs: Any, path: str) -> Any:
    """The value at a dotted path; None where it, or what it would be in, is absent."""
    for name in path.split("."):
        inputs = inputs.get(name) if isinstance(inputs, Mapping) else None
    return inputs
