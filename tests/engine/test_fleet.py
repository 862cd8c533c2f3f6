"""Two GKE stacks and the one that joins them, in Pulumi's engine: each has a control plane of its own.

The joining stack reads the others by stack reference, and what it puts on their clusters is really applied.
"""

import json
from collections.abc import Iterator

import pytest

from local.api import Json
from tests.engine.asking import SYSTEM
from tests.engine.conftest import Deployment
from tests.engine.test_gke_stacks import GATEWAYS, GKE_POLICIES, GkeStack

pytestmark = pytest.mark.engine

FLEET_SERVICES = "/apis/net.gke.io/v1"
MEMBERS = ("prod", "prod-us")
SMALL = {"warmPools": {"python": {"template": "python", "replicas": 1}}, "router": {"replicas": 2}}
"""What the members have less of here than in production; nothing that a fleet looks at."""


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, GkeStack]]:
    deployment = Deployment(tmp_path_factory.mktemp("fleet"))
    stacks = {name: GkeStack(deployment, name) for name in MEMBERS}
    fleet = GkeStack(deployment, "fleet")
    assert "create ServiceExport prod-us-export" in fleet.lines(), "a preview needs no member"
    refused = fleet.run("up", expect=1)
    assert "these stacks are not up: prod, prod-us" in refused
    assert "make up STACK=prod-us" in refused
    for stack in stacks.values():
        stack.run("up", *stack.changed(**SMALL))
    yield stacks
    for stack in stacks.values():
        stack.run("down")


@pytest.fixture(scope="module")
def joined(members: dict[str, GkeStack]) -> Iterator[GkeStack]:
    stack = GkeStack(members["prod"].deployment, "fleet")
    stack.run("up")
    yield stack
    stack.run("down")


def test_one_gateway_on_the_config_cluster_leads_to_the_router_of_each(
    joined: GkeStack, members: dict[str, GkeStack]
) -> None:
    config, other = (members[name].api for name in MEMBERS)
    gateway = config.get(f"{GATEWAYS}/gateways/fleet-gateway")
    addresses = [each["value"] for each in gateway["status"]["addresses"]]
    assert [each.rpartition(".")[0] for each in addresses] == ["10.0.15", "10.16.15"], "one in each region's subnet"
    assert joined.outputs["gatewayAddress"] == addresses[0]
    rules = config.get(f"{GATEWAYS}/httproutes/fleet-gateway")["spec"]["rules"]
    by_header = {rule["matches"][0]["headers"][0]["value"]: rule["backendRefs"][0] for rule in rules}
    assert {name: backend["kind"] for name, backend in by_header.items()} == dict.fromkeys(MEMBERS, "ServiceImport")
    for api in (config, other):
        imports = {each["metadata"]["name"] for each in api.items(f"{FLEET_SERVICES}/serviceimports")}
        assert imports == {backend["name"] for backend in by_header.values()}, "what is exported is imported everywhere"
    targets = [each["spec"]["targetRef"]["kind"] for each in config.items(f"{GKE_POLICIES}/gcpbackendpolicies")]
    assert sorted(targets) == ["Service", "ServiceImport", "ServiceImport"]
    assert other.items(f"{GATEWAYS}/gateways") == []


@pytest.mark.parametrize("name", MEMBERS)
def test_each_cluster_exports_a_service_that_only_it_has(
    joined: GkeStack, members: dict[str, GkeStack], name: str
) -> None:
    api = members[name].api
    exported = [each["metadata"]["name"] for each in api.items(f"{FLEET_SERVICES}/serviceexports")]
    assert exported == [f"sandbox-router-svc-{name}"]
    slices = api.items(
        f"/apis/discovery.k8s.io/v1/namespaces/{SYSTEM}/endpointslices",
        labelSelector=f"kubernetes.io/service-name={exported[0]}",
    )
    assert sum(len(each["endpoints"]) for each in slices) == 2, "the router's pods are behind it"
    assert joined.status()["well"] is True


def test_the_features_are_on_in_the_members_fleet(joined: GkeStack, members: dict[str, GkeStack]) -> None:
    features = {
        each["inputs"]["name"]: each["inputs"].get("spec")
        for each in joined.cloud.values()
        if each["kind"] == "gcp:gkehub/feature:Feature"
    }
    membership = members["prod"].outputs["membership"]
    assert membership == "projects/my-project-prod/locations/europe-west4/memberships/agent-sandbox"
    assert features == {
        "multiclusterservicediscovery": None,
        "multiclusteringress": {"multiclusteringress": {"configMembership": membership}},
    }
    assert "BEGIN" not in json.dumps(joined.resources), "the members' kubeconfigs stay secrets"
    providers = [each for each in joined.resources if each["type"] == "pulumi:providers:kubernetes"]
    assert all("ciphertext" in each["inputs"]["kubeconfig"] for each in providers)


def test_a_second_up_changes_nothing_and_a_member_can_leave(joined: GkeStack, members: dict[str, GkeStack]) -> None:
    assert "nothing to change" in joined.run("up")
    leaving = joined.lines(*joined.changed(members=["prod"]))
    assert "delete ServiceExport prod-us-export" in leaving
    assert not [line for line in leaving if "replace" in line or " prod-export" in line]
    changed = members["prod"]
    assert "nothing to change" in changed.run("up", *changed.changed(**SMALL)), "a member does not mind being joined"


def test_destroyed_it_leaves_the_members_as_they_were(joined: GkeStack, members: dict[str, GkeStack]) -> None:
    joined.run("destroy")
    assert {kept["kind"] for kept in joined.cloud.values()} == {"gcp:projects/service:Service"}
    for name, stack in members.items():
        assert stack.api.find(FLEET_SERVICES) is None, "GKE takes the kinds away with the feature"
        services = {each["metadata"]["name"] for each in stack.api.items(f"/api/v1/namespaces/{SYSTEM}/services")}
        assert f"sandbox-router-svc-{name}" not in services
        assert stack.status()["well"] is True
    gateways: list[Json] = members["prod"].api.items(f"{GATEWAYS}/gateways")
    assert [each["metadata"]["name"] for each in gateways] == ["sandbox-gateway"]
