"""The GKE stacks whole, in Pulumi's engine: the stand-in is Google Cloud, and the embedded control plane is GKE's.

Each stack is previewed, brought up, brought up again, changed and destroyed. What is put on the
cluster is really applied, and run by the real controller.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import graph, toolchain
from local.api import EXTENSIONS, SANDBOXES, Api, Json
from local.console import Step
from local.engine import Engine
from local.paths import CHECKOUT, State
from tests.engine.asking import SYSTEM
from tests.engine.conftest import NAMESPACE, Deployment, eventually

pytestmark = pytest.mark.engine

GATEWAYS = f"/apis/gateway.networking.k8s.io/v1/namespaces/{SYSTEM}"
GKE_POLICIES = f"/apis/networking.gke.io/v1/namespaces/{SYSTEM}"
OF_GATEWAY = {"gcpgatewaypolicies": "Gateway"}
RUNTIME_CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"
SNAPSHOT_ROLES = {"roles/storage.bucketViewer", "roles/storage.objectUser"}


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

    def status(self, *arguments: str) -> Json:
        asked = self.deployment.run("status", "--stack", self.stack, "--json", *arguments, expect=None)
        found: Json = json.loads(asked.stdout)
        return found

    def sandboxes(self) -> set[str]:
        found = self.api.items(f"{SANDBOXES}/namespaces/{NAMESPACE}/sandboxes")
        return {each["metadata"]["uid"] for each in found}


IMAGE = "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.5.6"
READ: Json = {"role": "roles/storage.objectViewer", "bucket": "my-files"}
OPTIONS: dict[str, Json] = {
    "dev": {
        "cluster": {"fleetProject": "my-project-dev", "authorizedNetworks": {"office": "203.0.113.0/24"}},
        "templates": {"python": {"image": IMAGE, "identity": "reader"}},
        "identities": {"reader": {"rights": {"files": READ}}},
    },
    "staging": {
        "nodePools": {"kata": {"runtime": "kata", "maxNodes": 2}},
        "templates": {
            "python": {"image": IMAGE, "identity": "reader"},
            "machine": {"image": IMAGE, "runtime": "kata-qemu"},
        },
        "identities": {"reader": {"impersonate": "sandbox-reader", "rights": {"files": READ}}},
        "snapshots": {"bucket": "my-project-staging-snapshots"},
    },
    "prod": {
        "templates": {
            "python": {"image": IMAGE, "identity": "reader"},
            "node": {"image": IMAGE, "egress": {"internet": True}},
        },
        "identities": {
            "reader": {"rights": {"files": READ, "models": {"role": "roles/aiplatform.user", "condition": "true"}}}
        },
    },
}
"""What the stack files leave out, added to a stack that runs."""


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


def test_identities_pools_and_a_fleet_are_added_to_a_stack_that_runs(up: GkeStack) -> None:
    pool = {**up.content["config"]["agent-sandbox:warmPools"]["python"], "updateStrategy": "Recreate"}
    options = up.changed(**OPTIONS[up.stack], warmPools={"python": pool})
    assert "replace" not in up.run("up", *options)
    assert "nothing to change" in up.run("up", *options)
    assert up.status(*options)["well"] is True
    names = f"/api/v1/namespaces/{NAMESPACE}"

    def who() -> set[str]:
        return {each["spec"]["serviceAccountName"] for each in up.api.items(f"{names}/pods")}

    eventually(lambda: who() == {"reader"}, 60, "the sandboxes are who the template says")
    pod = up.api.items(f"{names}/pods")[0]["spec"]
    assert pod["hostAliases"] == [{"ip": "169.254.169.254", "hostnames": ["metadata.google.internal"]}]
    (policy,) = [
        each
        for each in up.api.items(f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies")
        if "python" in each["metadata"]["name"]
    ]
    assert "169.254.169.254/32" in json.dumps(policy["spec"]["egress"])
    account = up.api.get(f"{names}/serviceaccounts/reader")
    assert account["automountServiceAccountToken"] is False
    asked = [each["inputs"] for each in up.cloud.values()]
    direct = f"workloadIdentityPools/my-project-{up.stack}.svc.id.goog/subject/ns/{NAMESPACE}/sa/reader"
    may = {each["role"] for each in asked if str(each.get("member", "")).endswith(direct)}
    if up.stack == "dev":
        (cluster,) = [each for each in asked if "releaseChannel" in each]
        assert cluster["fleet"] == {"project": "my-project-dev"}
        assert cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"] == {"enabled": True}
        assert cluster["masterAuthorizedNetworksConfig"]["cidrBlocks"][0]["cidrBlock"] == "203.0.113.0/24"
        assert may == {READ["role"]}
    elif up.stack == "staging":
        google = "sandbox-reader@my-project-staging.iam.gserviceaccount.com"
        assert account["metadata"]["annotations"]["iam.gke.io/gcp-service-account"] == google
        roles = {each["role"] for each in asked if each.get("member") == f"serviceAccount:{google}"}
        assert roles == {READ["role"]}, "what is impersonated has the rights"
        assert may == SNAPSHOT_ROLES, "and the account itself only those on the snapshots"
        assert {"kata-qemu", "kata-clh"} <= {each["metadata"]["name"] for each in up.api.items(RUNTIME_CLASSES)}
        machine = up.api.get(f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxtemplates/machine")
        assert machine["spec"]["podTemplate"]["spec"]["runtimeClassName"] == "kata-qemu"
    else:
        assert may == {READ["role"], "roles/aiplatform.user", *SNAPSHOT_ROLES}
        unnamed = {each["role"] for each in asked if str(each.get("member", "")).endswith("/sa/default")}
        assert unnamed == SNAPSHOT_ROLES, "another template's sandboxes have no account of their own"


def test_the_guides_way_to_a_cluster_is_a_way(up: GkeStack) -> None:
    """docs/operations.md: the stack's output is a kubeconfig, for kubectl and for `make status`."""
    engine = Engine(up.stack, up.state, toolchain.ensure(), standin=True)
    typed = {
        **os.environ,
        **engine.environment,
        "STACK": up.stack,
        "AGENT_SANDBOX_STATE": str(up.deployment.state.root),
    }
    script = """
        pulumi stack output kubeconfig --stack "$STACK" --show-secrets > kubeconfig && chmod 600 kubeconfig
        LOCATION="$(pulumi stack output location --stack "$STACK")" && echo "at $LOCATION"
        kubectl --kubeconfig kubeconfig get sandboxes --namespace sandboxes
    """
    folder = up.deployment.folder
    (folder / "Pulumi.yaml").write_text((CHECKOUT / "Pulumi.yaml").read_text())
    ended = subprocess.run(["bash", "-ec", script], cwd=folder, env=typed, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "at europe-west4" in ended.stdout
    assert "python-" in ended.stdout
    kubeconfig = str(folder / "kubeconfig")
    environment = {**typed, "AGENT_SANDBOX_STATE": str(folder / "elsewhere")}
    status = [sys.executable, "-m", "local", "status", "--stack", up.stack, "--kubeconfig", kubeconfig]
    told = subprocess.run(status, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert "All is well." in told.stdout, told.stdout + told.stderr
    assert "stand-in" not in told.stdout + told.stderr, "for all that it can tell, this is a cluster of GKE's"


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
