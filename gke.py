"""The stack's part on GKE: from a project with nothing in it to a cluster that takes sandboxes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

import components
from components._kubernetes import SYSTEM_NAMESPACE
from components.gke._cluster import Cluster
from settings.gke import Gke


@dataclass
class Platform:
    """The cluster, and what the rest of the stack needs of it."""

    cluster: Cluster
    network: components.Network
    registry: components.ArtifactRegistry
    services: components.ProjectServices
    provider: gcp.Provider
    ready_for_sandboxes: list[pulumi.Resource] = field(default_factory=list)
    """What warm pools wait for: nodes."""

    @property
    def kubernetes(self) -> kubernetes.Provider:
        return self.cluster.kubernetes


def make(stack: Gke) -> Platform:
    """The foundation, the cluster and its pools."""
    provider = gcp.Provider("gcp", project=stack.project, region=stack.network["region"])
    on_gcp = pulumi.ResourceOptions(provider=provider)
    services = components.ProjectServices("services", {"project": stack.project, "services": _services(stack)}, on_gcp)

    def after(*dependencies: pulumi.Resource, protect: bool = False) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(provider=provider, depends_on=[services, *dependencies], protect=protect or None)

    name = stack.name
    network = components.Network(name, cast(Any, stack.network), after())
    nodes = components.NodeIdentity(f"{name}-nodes", {"project": stack.project}, after())
    registry = components.ArtifactRegistry(
        name, cast(Any, {**stack.registry, "readers": {"nodes": nodes.member}}), after()
    )
    of_others: dict[str, Any] = {
        "network": network.network_id,
        "subnetwork": network.subnetwork_id,
        "pods_range": network.pods_range,
        "services_range": network.services_range,
        "node_service_account": nodes.email,
    }
    kind: Any = components.AutopilotCluster if stack.target == "autopilot" else components.StandardCluster
    # Nodes come up with the cluster: the way out, and the right to pull, are there before.
    options = after(network, registry, protect=stack.protected)
    cluster: Cluster = kind(name, {**stack.cluster, **of_others}, options)
    platform = Platform(cluster, network, registry, services, provider)
    for pool_name, (runtime, args) in stack.pools.items():
        pool: Any = components.GvisorNodePool if runtime == "gvisor" else components.KataNodePool
        of_cluster = {"cluster": cluster.cluster_name, "node_service_account": nodes.email}
        both = pulumi.ResourceOptions(
            providers={"gcp": provider, "kubernetes": cluster.kubernetes}, depends_on=[cluster]
        )
        platform.ready_for_sandboxes.append(pool(pool_name, {**args, **of_cluster}, both))
    return platform


def export(stack: Gke, platform: Platform, identities: dict[str, components.SandboxIdentity]) -> None:
    """What people and other stacks need of the cluster; a fleet's stack reads settings.fleet.READ of it."""
    pulumi.export("cluster", platform.cluster.cluster_name)
    pulumi.export("location", platform.cluster.location)
    pulumi.export("region", stack.network["region"])
    pulumi.export("network", platform.network.network_id)
    pulumi.export("membership", platform.cluster.membership)
    pulumi.export("version", platform.cluster.version)
    pulumi.export("kubeconfig", platform.cluster.kubeconfig)
    pulumi.export("registry", platform.registry.address)
    pulumi.export("identities", {name: each.service_account for name, each in identities.items()})


def keep_kinds(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    """For the controller: its kinds and its namespace stay when it goes, since the add-on may take over.

    With the kinds every sandbox would go, with the namespace the router.
    """
    if args.type_.rpartition(":")[2] not in ("CustomResourceDefinition", "Namespace"):
        return None
    options = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(retain_on_delete=True))
    return pulumi.ResourceTransformationResult(args.props, options)


def add_system_namespace(stack: Gke, platform: Platform) -> list[pulumi.Resource]:
    """The router's namespace, where upstream's release is not there to bring it."""
    if not stack.cluster["agent_sandbox"]:
        return []
    options = pulumi.ResourceOptions(provider=platform.kubernetes, transformations=[keep_kinds])
    return [components.SandboxNamespace(SYSTEM_NAMESPACE, {}, options)]


def add_identities(
    stack: Gke, platform: Platform, namespaces: Mapping[str, components.SandboxNamespace]
) -> dict[str, components.SandboxIdentity]:
    """Service accounts for sandboxes, by name, and the snapshots' bucket; their namespaces exist by then."""
    of_project: Any = {
        "project_number": platform.services.project_number,
        "workload_pool": platform.cluster.workload_pool,
    }
    providers = {"gcp": platform.provider, "kubernetes": platform.kubernetes}
    if stack.snapshots is not None:
        holding = pulumi.ResourceOptions(
            providers=providers,
            depends_on=[namespaces[stack.snapshots["namespace"]], *platform.ready_for_sandboxes],
            protect=stack.protected or None,
        )
        components.PodSnapshots("snapshots", cast(Any, {**stack.snapshots, **of_project}), holding)
    made = {}
    for name, args in stack.identities.items():
        options = pulumi.ResourceOptions(providers=providers, depends_on=[namespaces[args["namespace"]]])
        made[name] = components.SandboxIdentity(name, cast(Any, {**args, **of_project}), options)
    return made


def _services(stack: Gke) -> list[str]:
    """The APIs that the stack's choices call, beside those that every stack does."""
    wanted = list(stack.services)
    if stack.cluster.get("binary_authorization"):
        wanted.append("binaryauthorization.googleapis.com")
    if "secrets_key" in stack.cluster or (stack.snapshots or {}).get("encryption_key"):
        wanted.append("cloudkms.googleapis.com")
    if "fleet_project" in stack.cluster:
        wanted.append("gkehub.googleapis.com")
    return wanted
