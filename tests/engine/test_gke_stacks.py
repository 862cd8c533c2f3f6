"""The GKE stacks whole, in Pulumi's engine: the stand-in is Google Cloud, and the embedded control plane is GKE's.

Each stack is previewed, brought up, brought up again, changed and destroyed. What is put on the
cluster is really applied, and run by the real controller.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import graph, toolchain
from local.api import SANDBOXES, Api, Json
from local.console import Step
from local.engine import Engine
from local.paths import CHECKOUT, State
from tests.engine.asking import SYSTEM
from tests.engine.conftest import NAMESPACE, Deployment

pytestmark = pytest.mark.engine

GATEWAYS = f"/apis/gateway.networking.k8s.io/v1/namespaces/{SYSTEM}"
GKE_POLICIES = f"/apis/networking.gke.io/v1/namespaces/{SYSTEM}"
OF_GATEWAY = {"gcpgatewaypolicies": "Gateway"}


class GkeStack:
    """A stack's deployment on the stand-in."""

    def __init__(self, deployment: Deployment, stack: str) -> None:
        self.deployment, self.stack = deployment, stack
        self.state = State(deployment.state.root.with_name(f"{deployment.state.root.name}-{stack}"))
        self.content: Json = yaml.safe_load((CHECKOUT / f"Pulumi.{stack}.yaml").read_text())

    def run(self, command: str, *arguments: str, expect: int = 0) -> str:
        ended = self.deployment.run(command, "--stack", self.stack, *arguments, expect=expect)
        return ended.stdout + ended.stderr

    def changed(self, **changes: Any) -> list[str]:
        """The option that makes a command use the stack file with `changes`, by key; a dict is merged into its key."""
        config = {**self.content["config"]}
        for key, value in changes.items():
            name = f"agent-sandbox:{key}"
            config[name] = {**config.get(name, {}), **value} if isinstance(value, dict) else value
        file = self.deployment.folder / f"Pulumi.{self.stack}.changed.yaml"
        file.write_text(yaml.safe_dump({"config": config}))
        return ["--config-file", str(file)]

    def lines(self, *arguments: str) -> list[str]:
        """What a preview would do to resources that are not components."""
        printed = self.deployment.run("preview", "--stack", self.stack, *arguments).stdout
        return [line.strip() for line in printed.splitlines() if line.startswith("  ")]  # each on a line of its own

    @property
    def cloud(self) -> Json:
        """What the stand-in keeps, by id."""
        kept: Json = json.loads((self.state.root / "standin-gcp.json").read_text())
        return kept

    @property
    def resources(self) -> list[Json]:
        """What Pulumi's engine wrote down."""
        file = self.state.backend / ".pulumi" / "stacks" / "agent-sandbox" / f"{self.stack}.json"
        written: list[Json] = json.loads(file.read_text())["checkpoint"]["latest"].get("resources", [])
        return written

    @property
    def outputs(self) -> Json:
        """What the stack puts out, secrets sealed."""
        (stack,) = [each for each in self.resources if each["type"] == "pulumi:pulumi:Stack"]
        found: Json = stack["outputs"]
        return found

    @property
    def api(self) -> Api:
        return Api(self.state.kubeconfig)

    def status(self) -> Json:
        found: Json = json.loads(self.deployment.run("status", "--stack", self.stack, "--json", expect=None).stdout)
        return found

    def sandboxes(self) -> set[str]:
        found = self.api.items(f"{SANDBOXES}/namespaces/{NAMESPACE}/sandboxes")
        return {each["metadata"]["uid"] for each in found}


@pytest.fixture(scope="module", params=["dev", "staging", "prod"])
def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GkeStack]:
    """A stack that is up, and was previewed before with nothing there."""
    stack = GkeStack(Deployment(tmp_path_factory.mktemp(request.param)), request.param)
    printed = stack.run("preview")
    assert "stand-in for Google Cloud" in printed
    assert "no account is used" in printed
    assert not stack.state.kubeconfig.exists(), "a preview needs no cluster"
    stack.run("up")
    yield stack
    stack.run("down")


def test_what_the_engine_made_is_what_the_picture_shows(up: GkeStack) -> None:
    pictured = {(node.kind, node.name) for node in graph.of_stack(CHECKOUT / f"Pulumi.{up.stack}.yaml")}
    made = {(each["type"], each["urn"].rpartition("::")[2]) for each in up.resources}
    assert made - pictured == {("pulumi:pulumi:Stack", f"agent-sandbox-{up.stack}")}
    assert pictured <= made


def test_the_kubernetes_half_is_really_there_and_well(up: GkeStack) -> None:
    found = up.status()
    assert found["well"] is True, found
    wanted = up.content["config"]["agent-sandbox:warmPools"]["python"]["replicas"]
    assert len(up.sandboxes()) == wanted


def test_the_gateway_is_programmed_with_the_policies_of_its_load_balancer(up: GkeStack) -> None:
    if up.stack == "dev":
        assert up.api.items(f"{GATEWAYS}/gateways") == []
        return
    checks = {check["subject"]: check["detail"] for check in up.status()["checks"]}
    assert checks["gateway sandbox-gateway"].startswith("10.0."), "an address of the VPC"
    (gateway,) = up.api.items(f"{GATEWAYS}/gateways")
    (listener,) = gateway["spec"]["listeners"]
    assert (gateway["spec"]["gatewayClassName"], listener["protocol"]) == ("gke-l7-rilb", "HTTPS")
    for kind, target in {"healthcheckpolicies": "Service", "gcpbackendpolicies": "Service", **OF_GATEWAY}.items():
        (policy,) = up.api.items(f"{GKE_POLICIES}/{kind}")
        assert policy["spec"]["targetRef"]["kind"] == target
    (rule,) = [each for each in up.cloud.values() if each["outputs"].get("name") == "agent-sandbox-from-proxies"]
    (router,) = up.api.items("/apis/networking.k8s.io/v1/networkpolicies", fieldSelector="metadata.name=sandbox-router")
    ranges = {peer["ipBlock"]["cidr"] for peer in router["spec"]["ingress"][0]["from"] if "ipBlock" in peer}
    assert ranges == set(rule["inputs"]["sourceRanges"]), "what the firewall lets through, the router's policy does too"


def test_credentials_are_secrets_in_the_engines_state(up: GkeStack) -> None:
    (cluster,) = [each for each in up.resources if each["type"].endswith(("AutopilotCluster", "StandardCluster"))]
    assert "ciphertext" in cluster["outputs"]["kubeconfig"]
    assert "BEGIN" not in json.dumps(up.resources)


def test_a_second_up_changes_nothing_and_a_change_touches_what_it_names(up: GkeStack) -> None:
    sandboxes = up.sandboxes()
    change: dict[str, dict[str, Any]]
    if up.stack == "dev":  # GKE's controller off and upstream's on: one key
        change, expected = {"controller": {"source": "upstream"}}, "update Cluster agent-sandbox-cluster"
    elif up.stack == "staging":  # and the other way round
        change, expected = {"controller": {"source": "managed"}}, "update Cluster agent-sandbox-cluster"
    else:
        change, expected = {"network": {"flowLogs": 0.5}}, "update Subnetwork agent-sandbox-subnetwork"
    again = up.run("up")
    assert "nothing to change" in again
    printed = up.run("up", *up.changed(**change))
    assert "replace" not in printed
    assert up.sandboxes() == sandboxes, "the sandboxes outlive the change"
    assert up.status()["well"] is True
    assert expected in up.lines()


def test_protection_holds_and_without_it_nothing_is_left(up: GkeStack) -> None:
    file: list[str] = []
    if up.stack == "prod":
        refused = up.run("destroy", expect=1)
        assert "protect" in refused
        file = up.changed(protected=False, environment="staging")
        assert "deletionProtection" in up.run("up", *file, expect=1), "the policies mind a production stack by its name"
        engine = Engine(up.stack, up.state, toolchain.ensure(), Path(file[1]), standin=True)
        engine._run("up", engine.stack.up, Step("up"))  # as `pulumi up` without the pack would
    up.run("destroy", *file)
    left = {kept["kind"] for kept in up.cloud.values()}
    assert left == {"gcp:projects/service:Service"}, "APIs stay enabled, and nothing else is left"
    assert not [each for each in up.resources if not each["type"].startswith("pulumi:pulumi:Stack")]
