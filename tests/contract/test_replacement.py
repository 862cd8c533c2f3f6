"""Changing a setting must not cost a cluster, a bucket or a node pool, unless it says so in its own description.

Judged by the provider's own rules: the schema's ForceNew, in local/standin_gcp/replaces.json.
"""

import inspect
from typing import Any, cast

import pulumi
import pytest

import components
from local import graph
from local.standin_gcp import differences
from tests.contract.everything import CLUSTER, POOL, SNAPSHOTS, STANDARD

HARMLESS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "autopilot": (
        components.AutopilotCluster,
        CLUSTER,
        {
            "release_channel": "RAPID",
            "version": "1.37.1-gke.1000000",
            "private_nodes": False,
            "authorized_networks": {},
            "secrets_key": "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/other",
            "binary_authorization": False,
            "agent_sandbox": False,
            "pod_snapshots": False,
            "fleet_project": "other-project",
            "maintenance": {**CLUSTER["maintenance"], "recurrence": "FREQ=DAILY"},
            "deletion_protection": False,
            "labels": {},
            "node_service_account": "others@my-project.iam.gserviceaccount.com",
        },
    ),
    "gvisor": (
        components.GvisorNodePool,
        {**POOL, "snapshots": False},
        {
            "machine_type": "c3-standard-8",
            "min_nodes": 0,
            "max_nodes": 50,
            "zones": ["europe-west4-b"],
            "image_streaming": False,
            "swap_percent": 40,
            "disk_gb": 200,
            "gvnic": False,
            "labels": {},
            "snapshots": True,
        },
    ),
    "snapshots": (
        components.PodSnapshots,
        SNAPSHOTS,
        {
            "keep": 10,
            "labels": {"a": "b"},
            "encryption_key": "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/other",
            "delete_with_snapshots": False,
            "selector": {"app": "y"},
            "namespace": "others",
            "service_accounts": ["others"],
            "project_number": "210987654321",
            "workload_pool": "other.svc.id.goog",
        },
    ),
}
HARMLESS["standard"] = (
    components.StandardCluster,
    STANDARD,
    {**HARMLESS["autopilot"][2], "zones": ["europe-west4-b"], "system_pool": {"machine_type": "e2-standard-8"}},
)

REPLACING: dict[str, dict[str, Any]] = {
    "autopilot": {
        "project": "other-project",
        "location": "us-central1",
        "network": "other",
        "subnetwork": "other",
        "pods_range": "other",
        "services_range": "other",
        "cluster_name": "other",
    },
    "gvisor": {
        "project": "other-project",
        "location": "us-central1",
        "cluster": "other",
        "pool_name": "other",
        "node_service_account": "others@my-project.iam.gserviceaccount.com",
        "spot": False,
        "preloaded_images": [],
        "local_ssds": 2,
        "max_pods_per_node": 32,
    },
    "snapshots": {"project": "other-project", "location": "us-central1", "bucket": "others"},
}
REPLACING["standard"] = REPLACING["autopilot"]
"""What a change of does cost the resource; a pool's new nodes take the old ones' place."""

KINDS = {
    "autopilot": "gcp:container/cluster:Cluster",
    "standard": "gcp:container/cluster:Cluster",
    "gvisor": "gcp:container/nodePool:NodePool",
    "snapshots": "gcp:storage/bucket:Bucket",
}
NOT_WITH = {"location": ("secrets_key", "encryption_key", "zones"), "image_streaming": ("preloaded_images",)}
"""What a change would contradict: a place of its own, or images that need streaming."""
IGNORED = {"nodeConfig", "initialNodeCount"}
"""What StandardCluster tells the engine to leave alone once the cluster is there."""


def _cases(table: dict[str, Any]) -> list[Any]:
    return [
        pytest.param(name, field, value, id=f"{name}-{field}")
        for name, changes in table.items()
        for field, value in (changes[2] if isinstance(changes, tuple) else changes).items()
    ]


def _inputs(name: str, args: dict[str, Any]) -> dict[str, Any]:
    component = HARMLESS[name][0]
    nodes = graph.of_program(lambda: component("c", args), "test")
    child = next(node for node in nodes if node.kind == KINDS[name] and not node.name.endswith("-system"))
    ignored = IGNORED if name == "standard" else ()
    return {key: value for key, value in child.inputs.items() if key not in ignored}


def _replaced(name: str, field: str, value: Any) -> list[str]:
    without = NOT_WITH.get(field, ())
    base = {key: each for key, each in HARMLESS[name][1].items() if key not in without}
    assert base.get(field) != value, "nothing is changed"
    return differences.replacing(KINDS[name], _inputs(name, base), _inputs(name, {**base, field: value}))


@pytest.mark.parametrize(("name", "field", "value"), _cases(HARMLESS))
def test_a_change_does_not_replace(name: str, field: str, value: Any) -> None:
    assert _replaced(name, field, value) == []


@pytest.mark.parametrize(("name", "field", "value"), _cases(REPLACING))
def test_a_change_that_replaces_is_noticed(name: str, field: str, value: Any) -> None:
    assert _replaced(name, field, value) != []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("autopilot", components.AutopilotClusterArgs),
        ("standard", components.StandardClusterArgs),
        ("gvisor", components.GvisorNodePoolArgs),
        ("snapshots", components.PodSnapshotsArgs),
    ],
)
def test_every_argument_is_one_or_the_other(name: str, kind: type) -> None:
    assert set(HARMLESS[name][2]) | set(REPLACING[name]) == set(inspect.get_annotations(kind))
    assert not set(HARMLESS[name][2]) & set(REPLACING[name])


def test_protected_snapshots_still_change_hands() -> None:
    """A protected right could not be taken from an account that no template runs as any more."""
    options = pulumi.ResourceOptions(protect=True)
    nodes = graph.of_program(lambda: components.PodSnapshots("c", cast(Any, SNAPSHOTS), options), "test")
    assert {node.kind for node in nodes if node.protected} == {
        "agent-sandbox:index:PodSnapshots",
        "gcp:storage/bucket:Bucket",
    }
