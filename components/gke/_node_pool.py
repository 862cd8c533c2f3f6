"""What pools of sandbox nodes have in common: their arguments, and what is sent to GKE for them."""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from components._arguments import arguments
from components._checks import between, dns_label
from components.gke._checks import labels, machine_series, machine_type, project_id, zones

MIN_NODES, MAX_NODES = 0, 10
DISK_GB = 100
SHARED_CORE = ("e2-micro", "e2-small", "e2-medium")


def _limits(args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    machine = args.get("machine_type", "")
    if args.get("min_nodes", MIN_NODES) > args.get("max_nodes", MAX_NODES):
        most = args.get("max_nodes", MAX_NODES)
        yield "min_nodes", f"is more than max_nodes, {most}", "GKE would refuse the pool. Make it no more."
    if args.get("local_ssds") and machine_series(machine) == "e2":
        yield "local_ssds", f"is asked for, but {machine} takes none", "GKE would refuse the pool. E2 has no local SSD."
    if args.get("preloaded_images") and not args.get("image_streaming", True):
        remedy = "GKE mounts a disk of images by image streaming. Leave image_streaming true."
        yield "preloaded_images", "is given, though image streaming is off", remedy
    if machine in SHARED_CORE:
        yield "machine_type", "shares its cores", "GKE Sandbox and Kata need whole ones. Take e2-standard-2 or larger."


@arguments(
    together=_limits,
    project=project_id,
    pool_name=dns_label,
    machine_type=machine_type,
    min_nodes=between(0, 1000, "GKE takes no more nodes in one pool."),
    max_nodes=between(1, 1000, "GKE takes no more nodes in one pool."),
    zones=zones,
    disk_gb=between(20, 65536, "Image and sandboxes' files would not fit, or no disk is that large."),
    swap_percent=between(1, 90, "GKE takes it as a share of the boot disk."),
    local_ssds=between(1, 24, "Compute Engine attaches no more."),
    max_pods_per_node=between(8, 256, "GKE takes no other number."),
    labels=labels,
)
class NodePoolArgs(TypedDict):
    """What every pool of sandbox nodes is told."""

    project: str
    """The project's id."""
    location: pulumi.Input[str]
    """The cluster's location."""
    cluster: pulumi.Input[str]
    """The cluster's name."""
    node_service_account: pulumi.Input[str]
    """The email of the service account that the nodes run as."""
    machine_type: NotRequired[str]
    """The nodes' machine type, as in n2-standard-4. Default by the kind of pool."""
    pool_name: NotRequired[str]
    """The pool's name. Default the component's own."""
    min_nodes: NotRequired[int]
    """The least nodes in all zones together. Default 0: with no sandboxes there is nothing to pay."""
    max_nodes: NotRequired[int]
    """The most nodes in all zones together. Default 10."""
    zones: NotRequired[list[str]]
    """Where the nodes are. Default the cluster's."""
    spot: NotRequired[bool]
    """Whether nodes are spot VMs, cheaper and gone at 30 seconds' notice with the sandboxes on them. Default false."""
    image_streaming: NotRequired[bool]
    """Whether containers start while their image still loads; the image must be in Artifact Registry. Default true."""
    preloaded_images: NotRequired[list[str]]
    """Disk images that hold container images, attached to each node, so that a cold start pulls nothing: as in
    projects/P/global/images/I. Default none."""
    gvnic: NotRequired[bool]
    """Whether nodes use Google's virtual NIC. Default true."""
    local_ssds: NotRequired[int]
    """Local SSDs of a node that hold the sandboxes' files. Default none."""
    swap_percent: NotRequired[int]
    """The share of the boot disk that is swap, in percent: more sandboxes a node, for those that mostly wait.
    Default none."""
    disk_gb: NotRequired[int]
    """The boot disk's size in GB. Default 100, GKE's."""
    max_pods_per_node: NotRequired[int]
    """Default 110, Kubernetes'. It cannot change later."""
    labels: NotRequired[dict[str, str]]
    """Labels on the virtual machines, for the bill. Default none."""


def hardened(service_account: pulumi.Input[str], labels: Mapping[str, str] | None) -> dict[str, Any]:
    """What the nodes of every pool are told: who they are, what pods learn of it, and a measured boot."""
    return {
        "service_account": service_account,
        "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],  # IAM decides, not the scope
        "workload_metadata_config": {"mode": "GKE_METADATA"},
        "shielded_instance_config": {"enable_secure_boot": True, "enable_integrity_monitoring": True},
        "metadata": {"disable-legacy-endpoints": "true"},
        "resource_labels": labels,
    }


def node_pool(
    child: str, name: str, args: Mapping[str, Any], own: Mapping[str, Any], parent: pulumi.Resource
) -> "gcp.container.NodePool":
    """A pool; `own` is what its kind adds to the nodes' configuration."""
    sent: dict[str, Any] = {
        "name": args.get("pool_name", name),
        "project": args["project"],
        "location": args["location"],
        "cluster": args["cluster"],
        "node_locations": args.get("zones"),
        "autoscaling": {
            "total_min_node_count": args.get("min_nodes", MIN_NODES),
            "total_max_node_count": args.get("max_nodes", MAX_NODES),
            # Wherever there is room: a sandbox does not care for its zone, and waits if one has run dry.
            "location_policy": "ANY",
        },
        "management": {"auto_repair": True, "auto_upgrade": True},
        "max_pods_per_node": args.get("max_pods_per_node"),
        "node_config": {**hardened(args["node_service_account"], args.get("labels")), **_options(args), **own},
    }
    return gcp.container.NodePool(child, **sent, opts=pulumi.ResourceOptions(parent=parent))


def _options(args: Mapping[str, Any]) -> dict[str, Any]:
    sent: dict[str, Any] = {
        "disk_size_gb": args.get("disk_gb", DISK_GB),
        "gcfs_config": {"enabled": args.get("image_streaming", True)},
        "gvnic": {"enabled": args.get("gvnic", True)},
        "spot": args.get("spot", False),
    }
    if images := args.get("preloaded_images"):
        sent["secondary_boot_disks"] = [{"disk_image": each, "mode": "CONTAINER_IMAGE_CACHE"} for each in images]
    if "local_ssds" in args:
        sent["ephemeral_storage_local_ssd_config"] = {"local_ssd_count": args["local_ssds"]}
    if "swap_percent" in args:
        profile = {"swap_size_percent": args["swap_percent"]}
        sent["linux_node_config"] = {"swap_config": {"enabled": True, "boot_disk_profile": profile}}
    return sent
