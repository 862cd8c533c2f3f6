"""What both kinds of cluster are told: their arguments, and what is sent to GKE for each."""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components._arguments import arguments
from components._checks import one_of
from components.gke._checks import (
    callers,
    cluster_name,
    encryption_key,
    gke_version,
    key_location,
    labels,
    project_id,
    utc_time,
    version_key,
)

CHANNELS = ("RAPID", "REGULAR", "STABLE", "EXTENDED")

ADDON_VERSION = "1.36.3-gke.1767000"
"""The first GKE version whose managed add-on serves v1beta1, as GKE's guide to it says. Add-ons from
1.35.2-gke.1210000 on serve v1alpha1, which upstream has removed."""

SNAPSHOT_VERSION = "1.35.3-gke.1234000"
"""The first GKE version with pod snapshots of podsnapshot.gke.io/v1 for Agent Sandbox."""


@arguments(start_time=utc_time, end_time=utc_time)
class MaintenanceWindow(TypedDict):
    """When GKE may upgrade: a first window, and how it recurs."""

    start_time: str
    """When the first window opens, as an RFC 3339 time."""
    end_time: str
    """When it closes; at least four hours later, as GKE demands."""
    recurrence: str
    """An RFC 5545 rule, as in FREQ=WEEKLY;BYDAY=SA,SU. At least 48 hours in any 32 days, as GKE demands."""


def _versions(args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for field, least in (("agent_sandbox", ADDON_VERSION), ("pod_snapshots", SNAPSHOT_VERSION)):
        if args.get(field) and "version" in args and version_key(args["version"]) < version_key(least):
            remedy = f"{_WITHOUT[field]} Take {least} or later, or leave the version to the release channel."
            yield "version", f"is older than {least}, which {_NEEDED_BY[field]} needs", remedy


_NEEDED_BY = {"agent_sandbox": "the managed add-on", "pod_snapshots": "the pod snapshot add-on"}
_WITHOUT = {
    "agent_sandbox": "Its add-on would not serve v1beta1, the one API that this project speaks.",
    "pod_snapshots": "GKE would refuse the add-on, or serve another version of it.",
}


def _key_in_place(args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    key, location = args.get("secrets_key"), args["location"]
    region = location.rpartition("-")[0] if location.count("-") == 2 else location
    if isinstance(key, str) and key_location(key) not in ("", region):
        yield "secrets_key", f"lies in {key_location(key)}, not in {region}", "GKE takes a key of its own region only."


def _together(args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield from _versions(args)
    yield from _key_in_place(args)


@arguments(
    together=_together,
    project=project_id,
    cluster_name=cluster_name,
    release_channel=one_of(CHANNELS, "It says how soon the cluster gets a new version."),
    version=gke_version,
    authorized_networks=callers,
    secrets_key=encryption_key,
    labels=labels,
)
class ClusterArgs(TypedDict):
    """What both kinds of cluster are told."""

    project: str
    """The project's id."""
    location: str
    """The region; for a Standard cluster also a zone."""
    network: pulumi.Input[str]
    """The VPC network's id."""
    subnetwork: pulumi.Input[str]
    """The subnet's id."""
    pods_range: pulumi.Input[str]
    """The name of the subnet's secondary range for pods."""
    services_range: pulumi.Input[str]
    """The name of the subnet's secondary range for services."""
    node_service_account: pulumi.Input[str]
    """The email of the service account that nodes run as."""
    cluster_name: NotRequired[str]
    """The cluster's name. Default the component's own."""
    release_channel: NotRequired[str]
    """How soon new versions come: `RAPID`, `REGULAR`, `STABLE` or `EXTENDED`. Default REGULAR, GKE's."""
    version: NotRequired[str]
    """The least version of the control plane, in full. Default the channel's."""
    private_nodes: NotRequired[bool]
    """Whether nodes have private addresses only. Default true; GKE's is false."""
    authorized_networks: NotRequired[dict[str, str]]
    """Ranges that may reach the control plane's IP address, by who they are. Default none, and then it has no such
    address: it is reached by its DNS name, where IAM decides who may."""
    secrets_key: NotRequired[str]
    """The Cloud KMS key that encrypts Kubernetes secrets in etcd. GKE's service agent needs
    roles/cloudkms.cryptoKeyEncrypterDecrypter on it. Default Google's own encryption of the disks alone."""
    binary_authorization: NotRequired[bool]
    """Whether the project's Binary Authorization policy decides which images run. Default false."""
    agent_sandbox: NotRequired[bool]
    """Whether GKE's managed Agent Sandbox add-on is on. Default false. It owns the same CRDs as upstream's
    controller: install one of the two."""
    pod_snapshots: NotRequired[bool]
    """Whether the pod snapshot add-on is on. Default false."""
    fleet_project: NotRequired[str]
    """The project whose fleet the cluster joins. Default none."""
    maintenance: NotRequired[MaintenanceWindow]
    """When GKE may upgrade. Default any time."""
    deletion_protection: NotRequired[bool]
    """Whether the provider refuses to delete the cluster. Default true."""
    labels: NotRequired[dict[str, str]]
    """Labels on the cluster and its nodes, for the bill. Default none."""


def common(name: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent to GKE for both kinds of cluster."""
    sent: dict[str, Any] = {
        "name": args.get("cluster_name", name),
        "project": args["project"],
        "location": args["location"],
        "network": args["network"],
        "subnetwork": args["subnetwork"],
        "ip_allocation_policy": {
            "cluster_secondary_range_name": args["pods_range"],
            "services_secondary_range_name": args["services_range"],
        },
        "release_channel": {"channel": args.get("release_channel", "REGULAR")},
        "min_master_version": args.get("version"),
        "private_cluster_config": {"enable_private_nodes": args.get("private_nodes", True)},
        "control_plane_endpoints_config": {
            "dns_endpoint_config": {"allow_external_traffic": True},
            "ip_endpoints_config": {"enabled": bool(args.get("authorized_networks"))},
        },
        # Only health checks may come without credentials.
        "anonymous_authentication_config": {"mode": "LIMITED"},
        # No role binding to everybody who has a Google account, nor to those who have none.
        "rbac_binding_config": {
            "enable_insecure_binding_system_authenticated": False,
            "enable_insecure_binding_system_unauthenticated": False,
        },
        "security_posture_config": {"mode": "BASIC"},
        "cost_management_config": {"enabled": True},
        "deletion_protection": args.get("deletion_protection", True),
        "resource_labels": args.get("labels"),
    }
    return {**sent, **_asked_for(args)}


def _asked_for(args: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent only where it is asked for."""
    sent: dict[str, Any] = {}
    if networks := args.get("authorized_networks"):
        blocks = [{"display_name": who, "cidr_block": block} for who, block in networks.items()]
        sent["master_authorized_networks_config"] = {"cidr_blocks": blocks}
    if "secrets_key" in args:
        sent["database_encryption"] = {"state": "ENCRYPTED", "key_name": args["secrets_key"]}
    if args.get("binary_authorization"):
        sent["binary_authorization"] = {"evaluation_mode": "PROJECT_SINGLETON_POLICY_ENFORCE"}
    if "fleet_project" in args:
        sent["fleet"] = {"project": args["fleet_project"]}
    if "maintenance" in args:
        sent["maintenance_policy"] = {"recurring_window": dict(args["maintenance"])}
    return sent


def addons(args: Mapping[str, Any]) -> dict[str, Any]:
    """The add-ons, each said to be on or off: one that is merely left out stays as it was."""
    return {
        "agent_sandbox_config": {"enabled": args.get("agent_sandbox", False)},
        "pod_snapshot_config": {"enabled": args.get("pod_snapshots", False)},
    }
