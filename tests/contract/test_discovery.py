"""Every argument that reaches GKE is one that GKE knows: its own REST discovery document says so.

The document ships in google-api-python-client and is independent of pulumi-gcp. Where the provider
spells something otherwise than the API, RENAMED says how; what the API never sees is in NOT_SENT,
each with its reason.
"""

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import googleapiclient
import pulumi
import pytest

import components
from components.gke._cluster import ClusterArgs
from components.gke._node_pool import NodePoolArgs
from local import graph
from local.paths import CHECKOUT

Json = dict[str, Any]

DOCUMENT = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents" / "container.v1.json"
SCHEMAS: Json = json.loads(DOCUMENT.read_text())["schemas"]

KINDS = {"gcp:container/cluster:Cluster": "Cluster", "gcp:container/nodePool:NodePool": "NodePool"}
"""The API's schema, by Pulumi's type."""

RENAMED = {
    "Cluster": {
        "minMasterVersion": "initialClusterVersion",
        "nodeLocations": "locations",
        "enableAutopilot": "autopilot.enabled",
        "enableShieldedNodes": "shieldedNodes.enabled",
        "datapathProvider": "networkConfig.datapathProvider",
        "gatewayApiConfig": "networkConfig.gatewayApiConfig",
        "clusterAutoscaling": "autoscaling",
        "clusterAutoscaling.enabled": "autoscaling.enableNodeAutoprovisioning",
        "clusterAutoscaling.autoProvisioningDefaults": "autoscaling.autoprovisioningNodePoolDefaults",
        "loggingConfig.enableComponents": "loggingConfig.componentConfig.enableComponents",
        "monitoringConfig.enableComponents": "monitoringConfig.componentConfig.enableComponents",
        "monitoringConfig.managedPrometheus": "monitoringConfig.managedPrometheusConfig",
        "maintenancePolicy.recurringWindow": "maintenancePolicy.window.recurringWindow",
        "maintenancePolicy.recurringWindow.startTime": "maintenancePolicy.window.recurringWindow.window.startTime",
        "maintenancePolicy.recurringWindow.endTime": "maintenancePolicy.window.recurringWindow.window.endTime",
    },
    "NodePool": {
        "nodeLocations": "locations",
        "nodeConfig": "config",
        "maxPodsPerNode": "maxPodsConstraint.maxPodsPerNode",
    },
}
"""Pulumi's path, and the API's; the longest that fits holds."""

NOT_SENT = {
    "Cluster": {
        "project": "a part of the request's address",
        "location": "a part of the request's address",
        "deletionProtection": "the provider's own: it refuses to send the deletion",
        "removeDefaultNodePool": "the provider's own: it deletes the first pool once the cluster is there",
    },
    "NodePool": {
        "project": "a part of the request's address",
        "location": "a part of the request's address",
        "cluster": "a part of the request's address",
    },
}

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
    "secrets_key": "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k",
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
    "labels": {"environment": "prod"},
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
    "labels": {"environment": "prod"},
}
EVERYTHING: dict[str, tuple[Any, Any, Json]] = {
    "autopilot": (components.AutopilotCluster, components.AutopilotClusterArgs, CLUSTER),
    "standard": (components.StandardCluster, components.StandardClusterArgs, STANDARD),
    "gvisor": (components.GvisorNodePool, components.GvisorNodePoolArgs, {**POOL, "snapshots": True}),
    "kata": (components.KataNodePool, components.KataNodePoolArgs, POOL),
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_with_every_argument_set_gke_knows_all_that_is_sent(name: str) -> None:
    component, kind, args = EVERYTHING[name]
    assert set(inspect.get_annotations(kind)) == set(args), "an argument is missing here"
    sent = [node for node in graph.of_program(lambda: component("c", args), "test") if node.kind in KINDS]
    assert sent
    assert not [problem for node in sent for problem in _unknown(KINDS[node.kind], node.inputs)]


@pytest.mark.parametrize("stack", ["dev", "staging", "prod", "prod-us"])
def test_gke_knows_all_that_a_stack_sends(stack: str) -> None:
    sent = [node for node in graph.of_stack(CHECKOUT / f"Pulumi.{stack}.yaml") if node.kind in KINDS]
    assert sent
    assert not [problem for node in sent for problem in _unknown(KINDS[node.kind], node.inputs)]


def test_the_comparison_notices_a_wrong_name_a_wrong_type_and_a_wrong_value() -> None:
    wrong = {
        "nodeConfig": {"machineTyp": "n2"},
        "autoscaling": {"locationPolicy": "SOMEWHERE"},
        "initialNodeCount": "x",
    }
    assert [problem.partition(":")[0] for problem in _unknown("NodePool", wrong)] == [
        "nodeConfig.machineTyp",
        "autoscaling.locationPolicy",
        "initialNodeCount",
    ]


def test_shared_arguments_are_those_that_the_cases_above_set() -> None:
    assert set(inspect.get_annotations(ClusterArgs)) == set(CLUSTER)
    assert set(inspect.get_annotations(NodePoolArgs)) == set(POOL)


@pytest.mark.parametrize(("schema", "path"), [(schema, path) for schema in NOT_SENT for path in NOT_SENT[schema]])
def test_an_exception_is_one_that_the_api_really_does_not_know(schema: str, path: str) -> None:
    addressed = NOT_SENT[schema][path] == "a part of the request's address"
    assert addressed or path not in SCHEMAS[schema]["properties"]


def test_the_api_knows_a_kind_of_sandbox_that_the_provider_does_not_let_through() -> None:
    """When this fails, or the provider takes MICROVM, GvisorNodePool can offer it."""
    assert set(SCHEMAS["SandboxConfig"]["properties"]["type"]["enum"]) == {"UNSPECIFIED", "GVISOR", "MICROVM"}


def _unknown(schema: str, inputs: Mapping[str, Any]) -> Iterator[str]:
    """Each value that the API has no place for, or not of its type, or not among its choices."""
    for path, value in _leaves(inputs):
        if path in NOT_SENT[schema]:
            continue
        definition = _definition(SCHEMAS[schema], _renamed(schema, path))
        if definition is None:
            yield f"{path}: the API has no such field"
        elif not _fits(definition, value):
            yield f"{path}: {value!r} is not {definition.get('enum') or definition.get('type')}"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for each in value:
            yield from _leaves(each, path)
    elif not isinstance(value, pulumi.Output):
        yield path, value


def _renamed(schema: str, path: str) -> str:
    renamed = RENAMED[schema]
    for prefix in sorted(renamed, key=len, reverse=True):
        if path == prefix or path.startswith(f"{prefix}."):
            return renamed[prefix] + path.removeprefix(prefix)
    return path


def _definition(schema: Json, path: str) -> Json | None:
    for name in path.split("."):
        schema = _resolved(schema)
        if "additionalProperties" in schema:
            return dict(schema["additionalProperties"])
        if name not in schema.get("properties", {}):
            return None
        schema = schema["properties"][name]
    return schema


def _resolved(schema: Json) -> Json:
    schema = schema["items"] if schema.get("type") == "array" else schema
    return SCHEMAS[schema["$ref"]] if "$ref" in schema else schema


def _fits(definition: Json, value: Any) -> bool:
    if definition.get("type") == "array":
        return isinstance(value, list) and all(_fits(_resolved(definition), each) for each in value)
    if "enum" in definition:
        return value in definition["enum"]
    if definition.get("type") == "boolean":
        return isinstance(value, bool)
    if definition.get("type") == "integer" or definition.get("format") in ("int64", "uint64"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) if definition.get("type") == "string" else True


@pytest.mark.parametrize("name", ["multiclusteringress", "multiclusterservicediscovery"])
def test_a_fleets_features_are_sent_as_gkehub_describes_them(name: str) -> None:
    schemas: Json = json.loads(DOCUMENT.with_name("gkehub.v1.json").read_text())["schemas"]
    (sent,) = [
        node.inputs
        for node in graph.of_stack(CHECKOUT / "Pulumi.fleet.yaml")
        if node.kind == "gcp:gkehub/feature:Feature" and node.inputs["name"] == name
    ]
    assert sent["location"] == "global"
    for field, value in sent.get("spec", {}).items():
        reference = schemas["CommonFeatureSpec"]["properties"][field]["$ref"]
        assert set(value) == set(schemas[reference]["properties"])
        assert value["configMembership"].count("/") == schemas[reference]["properties"]["configMembership"][
            "description"
        ].count("/"), "in full, as in its description"
