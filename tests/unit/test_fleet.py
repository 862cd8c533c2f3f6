"""A fleet's stack: what it joins, what it refuses, and that a request reaches the cluster that it names."""

from pathlib import Path
from typing import Any

import pytest

import components
import fleet
import settings
from local import graph
from local.paths import CHECKOUT
from settings.fleet import Fleet

FLEET: dict[str, Any] = {
    "target": "fleet",
    "project": "my-project",
    "members": ["one", "acme/agent-sandbox/two"],
    "gateway": {"exposure": "internal"},
}
EXTERNAL = {"exposure": "external", "tls": {"certificateMap": "m"}}

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"project": ""}, "agent-sandbox:project: nothing is given, though the target is fleet"),
    ({"project": "My Project"}, "is not a project id"),
    ({"members": []}, "agent-sandbox:members: nothing is given, though the target is fleet"),
    ({"members": "one"}, 'agent-sandbox:members: "one" is not a list'),
    ({"members": ["One Two"]}, '"One Two" is not a stack whose cluster can be called by its name'),
    ({"members": ["acme/one"]}, '"acme/one" is not a stack whose cluster'),
    ({"members": ["one", "acme/other/one"]}, '"one" is the name of two members'),
    ({"configCluster": "tow"}, "is not one of the members"),
    ({"gateway": {}}, "agent-sandbox:gateway: nothing is given, though the target is fleet"),
    ({"environment": "prod"}, "agent-sandbox:gateway.tls: nothing is given, though the environment is prod"),
    ({"gateway": {"gatewayClass": "gke-l7-rilb"}}, "is for one cluster, though clusters are named"),
    ({"gateway": {**EXTERNAL, "regions": ["us-central1"]}}, "though the Gateway has one address"),
    ({"gateway": {"tls": {"secrets": ["s"]}}}, "names secrets, which the class gke-l7-cross-regional"),
    ({"gateway": {"tls": {"certificateMap": "m"}}}, "names a certificate_map, which the class gke-l7-cross-regional"),
    ({"gateway": {"staticAddress": "a"}}, "though the Gateway has an address in each region"),
    ({"gateway": {"exposure": "external"}}, "would cross the internet in the clear"),
    ({"templates": {"t": {"image": "registry.example/a:v1"}}}, "A fleet's stack puts nothing on a cluster"),
    ({"cluster": {"fleetProject": "p"}}, "Write it in the members' own stack files"),
    ({"target": "local", "gateway": {}}, "agent-sandbox:members: "),
]


@pytest.mark.parametrize(("wrong", "expected"), WRONG, ids=[text[:50] for _, text in WRONG])
def test_a_wrong_stack_file_is_refused_with_its_reason(wrong: dict[str, Any], expected: str) -> None:
    with pytest.raises(settings.SettingsError) as raised:
        settings.parse({**FLEET, **wrong})
    assert expected in str(raised.value)
    for problem in raised.value.problems:
        assert problem.remedy.endswith("."), problem


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(settings.SettingsError) as raised:
        settings.parse({**FLEET, "project": "", "members": ["one", "x/y/one"], "configCluster": "three"})
    assert len(raised.value.problems) == 3


def test_the_fleet_tells_its_gateway_of_its_members_and_installs_nothing() -> None:
    parsed = settings.parse(FLEET)
    assert parsed.fleet == Fleet("my-project", {"one": "one", "two": "acme/agent-sandbox/two"}, "one", [])
    assert parsed.gateway is not None
    assert parsed.gateway["clusters"] == ["one", "two"]
    assert parsed.release is None


def _member(name: str, **changes: str | None) -> dict[str, Any]:
    known = {
        "kubeconfig": f"kubeconfig of {name}",
        "membership": f"projects/my-project/locations/europe-west4/memberships/{name}",
        "network": "projects/my-project/global/networks/agent-sandbox",
        "region": "europe-west4",
    }
    return {key: value for key, value in {**known, **changes}.items() if value is not None}


def _join(gateway: dict[str, Any] | None = None, **stacks: dict[str, Any]) -> dict[str, graph.Node]:
    parsed = settings.parse({**FLEET, **({"gateway": gateway} if gateway else {})})
    assert parsed.fleet is not None
    assert parsed.gateway is not None
    chosen, args = parsed.fleet, parsed.gateway
    nodes = graph.of_program(lambda: fleet.join(chosen, args), "test", stacks)
    return {node.name: node for node in nodes}


def test_a_request_goes_to_the_cluster_that_its_header_names() -> None:
    made = _join(one=_member("one"), two=_member("two"))
    rules = made["fleet-gateway-route"].inputs["spec"]["rules"]
    by_header = {
        rule["matches"][0]["headers"][0]["value"]: [each["name"] for each in rule["backendRefs"]] for rule in rules
    }
    assert by_header == {"one": ["sandbox-router-svc-one"], "two": ["sandbox-router-svc-two"]}
    assert all(rule["matches"][0]["headers"][0]["name"] == "Agent-Sandbox-Cluster" for rule in rules), (
        "and no other rule"
    )
    for name in ("one", "two"):
        exported = made[f"{name}-export"].inputs
        assert (exported["kind"], exported["metadata"]["name"]) == ("ServiceExport", f"sandbox-router-svc-{name}")
        assert f"pulumi:providers:kubernetes {name}-kubernetes" in made[f"{name}-export"].needs, (
            "each on its own cluster"
        )
        target = made[f"fleet-gateway-backend-policy-{name}"].inputs["spec"]["targetRef"]
        assert target == {"group": "net.gke.io", "kind": "ServiceImport", "name": f"sandbox-router-svc-{name}"}


def test_the_gateway_is_on_the_config_cluster_with_an_address_in_its_region() -> None:
    made = _join(one=_member("one"), two=_member("two", region="us-central1"))
    gateway = made["fleet-gateway-gateway"]
    assert "pulumi:providers:kubernetes one-kubernetes" in gateway.needs
    assert gateway.inputs["spec"]["addresses"] == [
        {"type": "networking.gke.io/ephemeral-ipv4-address/europe-west4", "value": "europe-west4"}
    ]
    spec = made["fleet-gateways"].inputs["spec"]
    assert spec["multiclusteringress"]["configMembership"] == _member("one")["membership"]


def test_routers_are_exported_once_the_features_are_on_and_the_gateway_waits_for_them() -> None:
    made = _join(one=_member("one"), two=_member("two"))
    assert "gcp:gkehub/feature:Feature fleet-services" in made["one"].needs
    assert "kubernetes:net.gke.io/v1:ServiceExport two-export" in made["fleet-gateway"].needs


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"membership": ""}, "The cluster of two is in the fleet of no project"),
        ({"membership": "projects/other/locations/l/memberships/m"}, "The cluster of two is in the fleet of other"),
        ({"network": "projects/my-project/global/networks/other"}, "The members are in 2 networks"),
        ({"kubeconfig": None}, "The stack two has no output kubeconfig"),
    ],
)
def test_a_member_that_cannot_be_joined_is_named(changes: dict[str, str | None], expected: str) -> None:
    with pytest.raises(fleet.MemberError, match=expected):
        _join(one=_member("one"), two=_member("two", **changes))


def test_an_external_gateway_takes_members_of_several_networks() -> None:
    other = _member("two", network="projects/my-project/global/networks/other")
    assert (
        _join(EXTERNAL, one=_member("one"), two=other)["fleet-gateway-gateway"].inputs["spec"].get("addresses") is None
    )


@pytest.mark.parametrize("cluster", ["", "Two", "a.b"])
def test_a_cluster_is_called_as_a_service_can_be(cluster: str) -> None:
    with pytest.raises(components.ArgumentError, match="cluster"):
        components.RouterExport("e", {"cluster": cluster})


def test_the_members_named_in_the_projects_own_stack_file_are_there() -> None:
    parsed = settings.read(Path(CHECKOUT / "Pulumi.fleet.yaml")).fleet
    assert parsed is not None
    for name in parsed.members:
        member = settings.read(CHECKOUT / f"Pulumi.{name}.yaml").gke
        assert member is not None
        assert member.cluster["fleet_project"] == parsed.project
