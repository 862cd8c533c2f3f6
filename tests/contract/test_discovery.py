"""Every argument that reaches Google is one that its API knows: the API's own discovery document says so.

apis.py says which call each resource becomes and where names differ; discovery.py compares.
"""

import inspect
from typing import Any

import pytest
import yaml

import components
from components.gke._cluster_args import ClusterArgs
from components.gke._node_pool import NodePoolArgs
from components.gke.identity import Right
from local import graph
from local.paths import CHECKOUT
from local.standin_gcp.computed import KINDS
from tests.contract import discovery
from tests.contract.apis import BUCKET, CALLS, NODE_POOL, Call
from tests.contract.everything import CLUSTER, EVERYTHING, IDENTITY, POOL


def _of_google(nodes: list[graph.Node]) -> list[graph.Node]:
    return [node for node in nodes if node.kind.startswith("gcp:")]


def _refused(node: graph.Node) -> list[str]:
    return [f"{node.key}: {problem}" for problem in discovery.unknown(CALLS[node.kind], node.inputs)]


@pytest.mark.parametrize("name", EVERYTHING)
def test_with_every_argument_set_google_knows_all_that_is_sent(name: str) -> None:
    component, kind, args = EVERYTHING[name]
    assert set(inspect.get_annotations(kind)) == set(args), "an argument is missing in everything.py"
    sent = _of_google(graph.of_program(lambda: component("component", args), "test"))
    assert sent
    assert not [problem for node in sent for problem in _refused(node)]


def _stacks_on_google() -> list[str]:
    files = {file.name.split(".")[1]: yaml.safe_load(file.read_text()) for file in CHECKOUT.glob("Pulumi.*.yaml")}
    return sorted(name for name, content in files.items() if "agent-sandbox:project" in content.get("config", {}))


@pytest.mark.parametrize("stack", _stacks_on_google())
def test_google_knows_all_that_a_stack_sends(stack: str) -> None:
    sent = _of_google(graph.of_stack(CHECKOUT / f"Pulumi.{stack}.yaml"))
    assert sent
    assert not [problem for node in sent for problem in _refused(node)]


def test_every_component_on_gke_is_set_in_full() -> None:
    on_gke = {
        each
        for each in (getattr(components, name) for name in components.__all__)
        if each.__module__.startswith("components.gke.")
        and hasattr(components, f"{each.__name__}Args")
        and each is not components.RouterExport  # all of it is on the cluster
    }
    assert on_gke == {component for component, _, _ in EVERYTHING.values()}


def test_shared_and_nested_arguments_are_all_set() -> None:
    assert set(inspect.get_annotations(ClusterArgs)) == set(CLUSTER)
    assert set(inspect.get_annotations(NodePoolArgs)) == set(POOL)
    assert set(inspect.get_annotations(Right)) == set(IDENTITY["rights"]["files"])


def test_every_type_that_the_stand_in_takes_has_its_call() -> None:
    assert set(CALLS) == set(KINDS)


WRONG: list[tuple[Call, dict[str, Any], str]] = [
    (NODE_POOL, {"nodeConfig": {"machineTyp": "n2"}}, "nodeConfig.machineTyp: the API has no such field"),
    (NODE_POOL, {"autoscaling": {"locationPolicy": "SOMEWHERE"}}, "autoscaling.locationPolicy: 'SOMEWHERE' is not"),
    (NODE_POOL, {"initialNodeCount": "x"}, "initialNodeCount: 'x' is not integer"),
    (NODE_POOL, {"initialNodeCount": 1.5}, "initialNodeCount: 1.5 is not integer"),
    (NODE_POOL, {"config": True}, "config: True is not"),
    (NODE_POOL, {"selfLink": "x", "status": "RUNNING"}, "status: the API sets it itself"),
    (CALLS["gcp:compute/subnetwork:Subnetwork"], {"purpose": "PROXY"}, "purpose: 'PROXY' is not"),
    (CALLS["gcp:compute/subnetwork:Subnetwork"], {"logConfig": {"flowSampling": "0.5"}}, "is not number"),
    (CALLS["gcp:compute/firewall:Firewall"], {"allows": [{"proto": "tcp"}]}, "allows.proto: the API has no"),
    (CALLS["gcp:compute/routerNat:RouterNat"], {"logConfig": {"filter": "ERRORS"}}, "logConfig.filter: 'ERRORS' is"),
    (BUCKET, {"uniformBucketLevelAccess": "yes"}, "uniformBucketLevelAccess: 'yes' is not boolean"),
    (CALLS["gcp:projects/iAMMember:IAMMember"], {"member": ["a"]}, "member: ['a'] is not string"),
    (CALLS["gcp:projects/iAMMember:IAMMember"], {"condition": {"cel": "true"}}, "condition.cel: the API has no such"),
]


@pytest.mark.parametrize(("call", "inputs", "expected"), WRONG, ids=[text[:40] for _, _, text in WRONG])
def test_the_comparison_notices_what_is_wrong(call: Call, inputs: dict[str, Any], expected: str) -> None:
    assert expected in "\n".join(discovery.unknown(call, inputs))


@pytest.mark.parametrize("kind", CALLS)
def test_what_is_said_of_a_call_is_so(kind: str) -> None:
    call = CALLS[kind]
    assert set(call.address.values()) <= discovery.parameters(call), "the address has other parameters"
    for ours, theirs in call.renamed.items():
        assert discovery.definition(call, theirs) is not None, f"the API has no {theirs}"
        assert discovery.definition(call, ours) is None, f"the API itself has {ours}: no new name is needed"
    for path in call.not_sent:
        assert discovery.definition(call, path) is None, f"the API has a {path}"


def test_the_api_knows_a_kind_of_sandbox_that_the_provider_does_not_let_through() -> None:
    """When this fails, or the provider takes MICROVM, GvisorNodePool can offer it."""
    kinds = discovery.document("container.v1")["schemas"]["SandboxConfig"]["properties"]["type"]["enum"]
    assert set(kinds) == {"UNSPECIFIED", "GVISOR", "MICROVM"}


@pytest.mark.parametrize("name", ["multiclusteringress", "multiclusterservicediscovery"])
def test_a_fleets_features_are_sent_as_gkehub_describes_them(name: str) -> None:
    schemas = discovery.document("gkehub.v1")["schemas"]
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
