"""The stand-in for Google Cloud: what it keeps, computes, replaces and refuses."""

from pathlib import Path
from typing import Any

import pytest

from local.standin_gcp import addon, api, computed, controllers, differences, validation
from local.standin_gcp.cloud import Cloud, Kept, Refused
from local.standin_gcp.computed import KINDS

CLUSTER, POOL = validation.CLUSTER, validation.NODE_POOL
NETWORK, SUBNETWORK = "gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork"
PROJECT = {"project": "p"}
RANGES = [{"rangeName": "pods", "ipCidrRange": "10.4.0.0/14"}, {"rangeName": "services", "ipCidrRange": "10.8.0.0/20"}]
SUBNET: dict[str, Any] = {
    **PROJECT,
    "name": "s",
    "network": "projects/p/global/networks/n",
    "ipCidrRange": "10.0.0.0/20",
    "secondaryIpRanges": RANGES,
}
GKE: dict[str, Any] = {
    **PROJECT,
    "name": "c",
    "location": "europe-west4",
    "subnetwork": "projects/p/regions/r/subnetworks/s",
    "ipAllocationPolicy": {"clusterSecondaryRangeName": "pods", "servicesSecondaryRangeName": "services"},
    "workloadIdentityConfig": {"workloadPool": "p.svc.id.goog"},
}
NODES: dict[str, Any] = {**PROJECT, "name": "system", "cluster": "c", "nodeConfig": {"machineType": "n2-standard-4"}}
GVISOR: dict[str, Any] = {
    **NODES,
    "name": "gvisor",
    "nodeConfig": {"sandboxConfig": {"type": "GVISOR"}, "imageType": "COS_CONTAINERD"},
}
APIS = ("compute", "container", "iam", "cloudresourcemanager", "storage")


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """A project with its APIs on, a network, a Standard cluster and its ordinary pool."""
    made = Cloud(tmp_path / "cloud.json")
    for name in APIS:
        _put(made, "gcp:projects/service:Service", {**PROJECT, "service": f"{name}.googleapis.com"})
    _put(made, NETWORK, {**PROJECT, "name": "n"})
    _put(made, SUBNETWORK, SUBNET)
    _put(made, CLUSTER, GKE)
    _put(made, POOL, NODES)
    return made


def _put(cloud: Cloud, kind: str, inputs: dict[str, Any]) -> None:
    cloud.put(f"{kind} {inputs.get('name', inputs.get('service'))}", Kept(kind, inputs, inputs))


PROXIES: dict[str, Any] = {
    **PROJECT,
    "name": "proxies",
    "network": "n",
    "region": "europe-west4",
    "ipCidrRange": "10.9.0.0/26",
    "purpose": "REGIONAL_MANAGED_PROXY",
    "role": "ACTIVE",
}
FEATURE = api.FEATURE
INGRESS: dict[str, Any] = {
    **PROJECT,
    "name": "multiclusteringress",
    "spec": {"multiclusteringress": {"configMembership": "projects/p/locations/europe-west4/memberships/c"}},
}
AGENT = "serviceAccount:service-1@gcp-sa-multiclusteringress.iam.gserviceaccount.com"
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (FEATURE, INGRESS, "gkehub.googleapis.com has not been used in project p"),
    ("gcp:projects/iAMMember:IAMMember", {**PROJECT, "member": AGENT}, "does not exist"),
    (SUBNETWORK, {**PROXIES, "ipCidrRange": "10.9.0.0/28"}, "is smaller than a /26"),
    (CLUSTER, {**GKE, "project": "q"}, "container.googleapis.com has not been used in project q"),
    (SUBNETWORK, {**SUBNET, "name": "t", "network": "m"}, "'networks/m' was not found"),
    (SUBNETWORK, {**SUBNET, "name": "t"}, "conflicts with existing subnetwork s"),
    (SUBNETWORK, {**SUBNET, "name": "t", "ipCidrRange": "10.4.0.0/20"}, "overlap"),
    (CLUSTER, {**GKE, "subnetwork": "t"}, "'subnetworks/t' was not found"),
    (CLUSTER, {**GKE, "ipAllocationPolicy": {"clusterSecondaryRangeName": "x"}}, "Secondary range x does not exist"),
    (CLUSTER, {**GKE, "binaryAuthorization": {"evaluationMode": "PROJECT_SINGLETON_POLICY_ENFORCE"}}, "not enabled"),
    (CLUSTER, {**GKE, "fleet": {"project": "p"}}, "gkehub.googleapis.com is not enabled"),
    (
        CLUSTER,
        {**GKE, "minMasterVersion": "1.34.1-gke.1", "addonsConfig": {"agentSandboxConfig": {"enabled": True}}},
        "Agent Sandbox requires GKE version",
    ),
    (POOL, {**NODES, "cluster": "d"}, "Not found: clusters/d"),
    (POOL, {**GVISOR, "nodeConfig": {"taints": [{"key": "sandbox.gke.io/runtime"}]}}, "is a reserved label or taint"),
    (POOL, {**GVISOR, "nodeConfig": {"labels": {"sandbox.gke.io/runtime": "gvisor"}}}, "is a reserved label or taint"),
    (POOL, {**GVISOR, "nodeConfig": {"sandboxConfig": {"type": "GVISOR"}}}, "only supported with image type"),
    (
        POOL,
        {
            **NODES,
            "nodeConfig": {
                "machineType": "e2-standard-4",
                "advancedMachineFeatures": {"enableNestedVirtualization": True},
            },
        },
        "Nested virtualization is not supported on machine type e2-standard-4",
    ),
    ("gcp:storage/bucket:Bucket", {"name": "b", "hierarchicalNamespace": {"enabled": True}}, "requires uniform"),
    (
        "gcp:projects/iAMMember:IAMMember",
        {
            **PROJECT,
            "member": "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/q.svc.id.goog/x",
        },
        "Identity Pool does not exist",
    ),
]


@pytest.mark.parametrize(("kind", "inputs", "expected"), REFUSED, ids=[text[:40] for _, _, text in REFUSED])
def test_the_apis_refuse(cloud: Cloud, kind: str, inputs: dict[str, Any], expected: str) -> None:
    with pytest.raises(Refused, match=expected.replace("(", r"\(")):
        api.refuse(kind, inputs, cloud)


@pytest.mark.parametrize(("kind", "inputs"), [(CLUSTER, GKE), (POOL, GVISOR), (POOL, NODES), (SUBNETWORK, SUBNET)])
def test_the_apis_take_what_is_right(cloud: Cloud, kind: str, inputs: dict[str, Any]) -> None:
    api.refuse(kind, inputs, cloud)


def test_gvisor_cannot_be_the_only_pool_nor_any_pool_be_on_autopilot(cloud: Cloud) -> None:
    cloud.remove(f"{POOL} system")
    with pytest.raises(Refused, match="only node pool"):
        api.refuse(POOL, GVISOR, cloud)
    _put(cloud, CLUSTER, {**GKE, "enableAutopilot": True})
    with pytest.raises(Refused, match="Autopilot clusters do not support"):
        api.refuse(POOL, GVISOR, cloud)


def test_what_is_used_or_protected_cannot_be_deleted(cloud: Cloud) -> None:
    for kind, inputs in ((NETWORK, {"name": "n"}), (SUBNETWORK, SUBNET), (CLUSTER, GKE)):
        with pytest.raises(Refused):
            api.refuse_deletion(kind, inputs, cloud)
    api.refuse_deletion(CLUSTER, {**GKE, "deletionProtection": False}, cloud)


def test_the_provider_refuses_on_autopilot_what_conflicts_with_it_and_any_sandbox_but_gvisor() -> None:
    inputs = {"name": "c", "enableAutopilot": True, "networkPolicy": {}, "clusterAutoscaling": {"enabled": False}}
    assert [path for path, _ in validation.failures(CLUSTER, inputs)] == ["clusterAutoscaling.enabled", "networkPolicy"]
    microvm = {"nodeConfig": {"sandboxConfig": {"type": "MICROVM"}}}
    assert [path for path, _ in validation.failures(POOL, microvm)] == ["nodeConfig.sandboxConfig.type"]


REPLACES: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    (CLUSTER, {"datapathProvider": "ADVANCED_DATAPATH"}, {"datapathProvider": "LEGACY_DATAPATH"}, ["datapathProvider"]),
    (CLUSTER, {"enableAutopilot": True}, {}, ["enableAutopilot"]),
    (CLUSTER, {"privateClusterConfig": {"enablePrivateNodes": True}}, {}, []),
    (CLUSTER, {"enableFqdnNetworkPolicy": True}, {"enableFqdnNetworkPolicy": False}, ["enableFqdnNetworkPolicy"]),
    (CLUSTER, {"enableFqdnNetworkPolicy": False}, {"enableFqdnNetworkPolicy": True}, []),
    (POOL, {"nodeConfig": {"machineType": "a"}}, {"nodeConfig": {"machineType": "b"}}, []),
    (
        POOL,
        {"nodeConfig": {"sandboxConfig": {"type": "GVISOR"}}},
        {"nodeConfig": {"x": 1}},
        ["nodeConfig.sandboxConfig"],
    ),
    (
        POOL,
        {"nodeConfig": {"oauthScopes": ["a"]}},
        {"nodeConfig": {"oauthScopes": ["a", "b"]}},
        ["nodeConfig.oauthScopes"],
    ),
    (SUBNETWORK, {"ipCidrRange": "10.0.0.0/20"}, {"ipCidrRange": "10.0.0.0/19"}, []),
    (SUBNETWORK, {"ipCidrRange": "10.0.0.0/20"}, {"ipCidrRange": "10.0.0.0/24"}, ["ipCidrRange"]),
    ("gcp:storage/bucket:Bucket", {"location": "EU"}, {"location": "US"}, ["location"]),
]


@pytest.mark.parametrize(("kind", "old", "new", "expected"), REPLACES)
def test_it_knows_what_replaces(kind: str, old: Any, new: Any, expected: list[str]) -> None:
    assert differences.replacing(kind, old, new) == expected


def test_every_kind_it_keeps_has_its_rules_on_replacement() -> None:
    assert set(differences.REPLACES) - {"gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"} == set(KINDS)


def test_the_add_on_is_upstreams_release_under_names_of_its_own() -> None:
    own = [addon._as_gkes_own(each) for each in addon._release()]
    (controller,) = [each for each in own if each["kind"] == "Deployment"]
    assert controller["metadata"]["namespace"] == addon.NAMESPACE
    assert "priorityClassName" not in controller["spec"]["template"]["spec"]
    assert sum(each["kind"] == "CustomResourceDefinition" for each in own) == 4


def test_what_it_keeps_outlives_it(tmp_path: Path) -> None:
    file = tmp_path / "cloud.json"
    _put(Cloud(file), NETWORK, {"name": "n"})
    again = Cloud(file)
    assert [each.inputs for each in again.all(NETWORK)] == [{"name": "n"}]
    assert file.stat().st_mode & 0o077 == 0


def test_a_region_has_one_active_subnet_of_proxies(cloud: Cloud) -> None:
    api.refuse(SUBNETWORK, PROXIES, cloud)
    _put(cloud, SUBNETWORK, PROXIES)
    another = {**PROXIES, "name": "more", "ipCidrRange": "10.10.0.0/26"}
    with pytest.raises(Refused, match="proxies is already the active subnetwork"):
        api.refuse(SUBNETWORK, another, cloud)
    api.refuse(SUBNETWORK, {**another, "purpose": "GLOBAL_MANAGED_PROXY"}, cloud)


def test_a_regional_gateway_gets_its_address_once_there_are_proxies(cloud: Cloud) -> None:
    gateway = {"metadata": {"name": "g", "generation": 2}, "spec": {"gatewayClassName": "gke-l7-rilb"}}
    found = controllers.status(gateway, cloud)
    assert found["addresses"] == []
    assert "proxy-only subnetwork is required" in found["conditions"][1]["message"]
    _put(cloud, SUBNETWORK, PROXIES)
    found = controllers.status(gateway, cloud)
    assert found["addresses"][0]["value"].startswith("10.0.15.")
    assert {each["status"] for each in found["conditions"]} == {"True"}
    assert {each["observedGeneration"] for each in found["conditions"]} == {2}


def test_a_global_gateway_needs_no_proxies(cloud: Cloud) -> None:
    spec = {"gatewayClassName": "gke-l7-global-external-managed"}
    found = controllers.status({"metadata": {"name": "g", "generation": 1}, "spec": spec}, cloud)
    assert found["addresses"][0]["value"].startswith("203.0.113.")


def test_a_fleets_features_need_their_apis_and_a_member_to_hold_the_gateways(cloud: Cloud) -> None:
    service = "gcp:projects/service:Service"
    _put(cloud, service, {**PROJECT, "service": "gkehub.googleapis.com"})
    with pytest.raises(Refused, match=r"multiclusteringress\.googleapis\.com is not enabled"):
        api.refuse(FEATURE, INGRESS, cloud)
    _put(cloud, service, {**PROJECT, "service": "multiclusteringress.googleapis.com"})
    with pytest.raises(Refused, match="memberships/c does not exist in the fleet of p"):
        api.refuse(FEATURE, INGRESS, cloud)
    joined = {**GKE, "fleet": {"project": "p"}}
    cloud.put("c", Kept(CLUSTER, joined, {**joined, "fleet": computed.KINDS[CLUSTER].outputs["fleet"](joined)}))
    api.refuse(FEATURE, INGRESS, cloud)
    _put(cloud, FEATURE, INGRESS)
    api.refuse("gcp:projects/iAMMember:IAMMember", {**PROJECT, "member": AGENT}, cloud)


def test_a_cross_regional_gateway_needs_features_proxies_everywhere_and_imports(cloud: Cloud) -> None:
    regions = ("europe-west4", "us-central1")
    addresses = [{"type": f"networking.gke.io/ephemeral-ipv4-address/{each}", "value": each} for each in regions]
    spec = {"gatewayClassName": "gke-l7-cross-regional-internal-managed-mc", "addresses": addresses}
    gateway = {"metadata": {"name": "g", "generation": 1}, "spec": spec}

    def why() -> str:
        return str(controllers.status(gateway, cloud)["conditions"][1]["message"])

    assert "not enabled in the fleet" in why()
    for name in ("multiclusteringress", "multiclusterservicediscovery"):
        _put(cloud, FEATURE, {**PROJECT, "name": name})
    of_fleet = {**PROXIES, "purpose": "GLOBAL_MANAGED_PROXY"}
    _put(cloud, SUBNETWORK, {**of_fleet, "name": "here"})
    assert "proxy-only subnetwork is required" in why(), "one of the two regions has none"
    _put(cloud, SUBNETWORK, {**of_fleet, "name": "there", "region": "us-central1"})
    assert why() == ""
    assert len(controllers.status(gateway, cloud)["addresses"]) == 2
    lost = controllers.status(gateway, cloud, ["sandbox-router-svc-one"])
    assert "no ServiceImport sandbox-router-svc-one" in lost["conditions"][1]["message"]


def test_other_stacks_of_the_same_project_share_its_google_cloud(tmp_path: Path) -> None:
    first = Cloud(tmp_path / "first.json")
    first.put("projects/p/global/networks/n", Kept(NETWORK, {**PROJECT, "name": "n"}, {"name": "n"}))
    second = Cloud(tmp_path / "second.json", [tmp_path / "first.json"])
    second.project = "p"
    assert [each.outputs["name"] for each in second.all(NETWORK)] == ["n"]
    assert second.is_taken("projects/p/global/networks/n")
    assert second.find("projects/p/global/networks/n") is None, "what is another's is not its to change"
    second.project = "q"
    assert list(second.all(NETWORK)) == []
