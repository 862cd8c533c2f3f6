"""Each component of the GKE side with every one of its arguments set."""

from typing import Any

import components

Json = dict[str, Any]

KEY = "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k"
LABELS = {"environment": "prod"}

CLUSTER: Json = {
    "project": "my-project",
    "location": "europe-west4",
    "network": "network",
    "subnetwork": "subnetwork",
    "pods_range": "pods",
    "services_range": "services",
    "node_service_account": "nodes@my-project.iam.gserviceaccount.com",
    "cluster_name": "cluster",
    "release_channel": "STABLE",
    "version": "1.36.3-gke.1767000",
    "private_nodes": True,
    "authorized_networks": {"office": "203.0.113.0/24"},
    "secrets_key": KEY,
    "binary_authorization": True,
    "agent_sandbox": True,
    "pod_snapshots": True,
    "fleet_project": "my-project",
    "maintenance": {
        "start_time": "2026-01-03T01:00:00Z",
        "end_time": "2026-01-03T09:00:00Z",
        "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
    },
    "deletion_protection": True,
    "labels": LABELS,
}
STANDARD: Json = {**CLUSTER, "zones": ["europe-west4-a"], "system_pool": {"machine_type": "n2-standard-2"}}
POOL: Json = {
    "project": "my-project",
    "location": "europe-west4",
    "cluster": "cluster",
    "node_service_account": "nodes@my-project.iam.gserviceaccount.com",
    "machine_type": "n2-standard-4",
    "pool_name": "pool",
    "min_nodes": 1,
    "max_nodes": 5,
    "zones": ["europe-west4-a"],
    "spot": True,
    "image_streaming": True,
    "preloaded_images": ["projects/p/global/images/i"],
    "gvnic": True,
    "local_ssds": 1,
    "swap_percent": 20,
    "disk_gb": 50,
    "max_pods_per_node": 64,
    "labels": LABELS,
}
NETWORK: Json = {
    "project": "my-project",
    "region": "europe-west4",
    "nodes": "10.0.0.0/20",
    "pods": "10.4.0.0/14",
    "services": "10.8.0.0/20",
    "proxies": "10.9.0.0/24",
    "fleet_proxies": {"europe-west4": "10.10.0.0/23"},
    "vpc": "shared",
    "nat": True,
    "flow_logs": 0.5,
}
REGISTRY: Json = {
    "project": "my-project",
    "location": "europe-west4",
    "mirrors": {"registry-k8s-io": "https://registry.k8s.io"},
    "readers": {"nodes": "serviceAccount:nodes@my-project.iam.gserviceaccount.com"},
    "labels": LABELS,
}
_OF_PROJECT: Json = {
    "project": "my-project",
    "project_number": "123456789012",
    "workload_pool": "my-project.svc.id.goog",
    "namespace": "sandboxes",
}
IDENTITY: Json = {
    **_OF_PROJECT,
    "rights": {
        "files": {"role": "roles/storage.objectUser", "bucket": "my-files", "condition": "request.time.getHours() < 8"},
        "models": {"role": "roles/aiplatform.user", "condition": "request.time.getHours() < 8"},
    },
    "impersonate": "sandboxes",
}
SNAPSHOTS: Json = {
    **_OF_PROJECT,
    "location": "europe-west4",
    "bucket": "my-snapshots",
    "service_accounts": ["python", "files"],
    "selector": {"app": "x"},
    "keep": 3,
    "encryption_key": KEY,
    "delete_with_snapshots": True,
    "labels": LABELS,
}
FLEET: Json = {
    "project": "my-project",
    "project_number": "123456789012",
    "config_membership": "projects/my-project/locations/europe-west4/memberships/cluster",
}

EVERYTHING: dict[str, tuple[Any, Any, Json]] = {
    "services": (
        components.ProjectServices,
        components.ProjectServicesArgs,
        {"project": "my-project", "services": ["cloudkms.googleapis.com"]},
    ),
    "network": (components.Network, components.NetworkArgs, NETWORK),
    "registry": (components.ArtifactRegistry, components.ArtifactRegistryArgs, REGISTRY),
    "node-identity": (components.NodeIdentity, components.NodeIdentityArgs, {"project": "my-project"}),
    "autopilot": (components.AutopilotCluster, components.AutopilotClusterArgs, CLUSTER),
    "standard": (components.StandardCluster, components.StandardClusterArgs, STANDARD),
    "gvisor": (components.GvisorNodePool, components.GvisorNodePoolArgs, {**POOL, "snapshots": True}),
    "kata": (components.KataNodePool, components.KataNodePoolArgs, POOL),
    "identity": (components.SandboxIdentity, components.SandboxIdentityArgs, IDENTITY),
    "snapshots": (components.PodSnapshots, components.PodSnapshotsArgs, SNAPSHOTS),
    "fleet": (components.Fleet, components.FleetArgs, FLEET),
}
"""By a name for the test: the component, its arguments' type, and every argument."""
