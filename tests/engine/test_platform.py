"""The local stack, deployed by Pulumi's engine to a real API server and run by the real controller."""

import json
import re
from typing import Any

import pytest
import yaml

from local import processes, toolchain
from local.api import EXTENSIONS, SANDBOXES
from local.control_plane import ControlPlane
from local.paths import CHECKOUT
from local.supervisor import reported
from tests.engine.conftest import NAMESPACE, STACK_FILE, Deployment, eventually

pytestmark = pytest.mark.engine

OBJECTS = (
    "/apis/apps/v1/deployments",
    "/api/v1/services",
    "/api/v1/serviceaccounts",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/policy/v1/poddisruptionbudgets",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    f"{EXTENSIONS}/sandboxtemplates",
    f"{EXTENSIONS}/sandboxwarmpools",
)


def generations(platform: Deployment) -> dict[str, Any]:
    """For each declared object, what changes when somebody changes its specification."""
    return {
        f"{path} {each['metadata']['name']}": each["metadata"].get("generation", each["metadata"]["resourceVersion"])
        for path in OBJECTS
        for each in platform.api.items(path)
    }


def test_status_finds_everything_well_and_says_so_to_machines_too(platform: Deployment) -> None:
    assert "All is well." in platform.run("status").stdout
    found = json.loads(platform.run("status", "--json").stdout)
    assert found["well"] is True
    assert {"control plane", "controller", "router", "warm pool sandboxes/python"} <= {
        check["subject"] for check in found["checks"]
    }


def test_the_pool_is_full_of_sandboxes_that_the_scheduler_put_on_the_gvisor_node(platform: Deployment) -> None:
    assert platform.pool()["status"]["readyReplicas"] == 2
    pods = platform.api.items(f"/api/v1/namespaces/{NAMESPACE}/pods")
    assert len(pods) == 2
    assert {pod["spec"]["nodeName"] for pod in pods} == {"gvisor-0"}
    assert {pod["spec"]["runtimeClassName"] for pod in pods} == {"gvisor"}


def test_controller_and_router_are_scheduled_beside_the_sandboxes_not_among_them(platform: Deployment) -> None:
    pods = platform.api.items("/api/v1/namespaces/agent-sandbox-system/pods")
    assert len(pods) == 4
    assert {pod["spec"]["nodeName"] for pod in pods} == {"ordinary-0"}


def test_a_claim_takes_a_warm_sandbox_and_the_pool_fills_up_again(platform: Deployment) -> None:
    printed = platform.run("claim").stdout
    match = re.search(r"(claim-\w+): sandbox (\S+) on gvisor-0, warm, ready after \d+\.\d+ s", printed)
    assert match is not None, printed
    claim = platform.api.get(f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxclaims/{match[1]}")
    assert claim["status"]["sandbox"]["name"] == match[2]
    assert claim["spec"]["lifecycle"]["shutdownPolicy"] == "Delete"
    eventually(lambda: platform.pool()["status"].get("readyReplicas") == 2, 30, "the pool is full again")
    platform.api.delete(f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxclaims/{match[1]}")


def test_several_claims_in_a_row_are_timed_and_given_back(platform: Deployment) -> None:
    printed = platform.run("claim", "--count", "3").stdout
    assert re.search(r"3 in a row: median \d+\.\d+ s, .*; 3 of them warm", printed), printed
    claims = f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxclaims"
    eventually(lambda: platform.api.items(claims) == [], 30, "the claims are gone")


def test_a_claim_from_a_pool_that_is_not_there_names_those_that_are(platform: Deployment) -> None:
    assert (
        "There is no warm pool nodejs (there are: python)."
        in platform.run("claim", "--pool", "nodejs", expect=1).stderr
    )


def test_a_second_up_changes_nothing(platform: Deployment) -> None:
    before = generations(platform)
    again = platform.run("up")
    assert re.search(r"preview and policies: nothing to change, \d+ resources as they were", again.stderr), again.stderr
    assert "update:" not in again.stderr
    assert generations(platform) == before


def test_a_changed_replica_count_touches_the_pool_and_nothing_else(platform: Deployment) -> None:
    before = generations(platform)
    changed = platform.with_config(warmPools={"python": {"template": "python", "replicas": 3}})
    assert platform.run("preview", *changed).stdout.splitlines()[:-1] == [
        "  update SandboxWarmPool python",
        "  update SandboxWarmPool python-pool",
    ]
    platform.run("up", *changed)
    assert platform.pool()["status"]["readyReplicas"] == 3
    after = generations(platform)
    assert {key for key in after if after[key] != before[key]} == {f"{EXTENSIONS}/sandboxwarmpools python"}
    platform.run("up")
    eventually(lambda: platform.pool()["status"]["readyReplicas"] == 2, 30, "the pool is as it was")


def test_what_was_changed_behind_pulumis_back_is_found_when_asked_for(platform: Deployment) -> None:
    kubectl = ControlPlane(platform.state, toolchain.ensure()).kubectl
    kubectl("scale", "sandboxwarmpool", "python", f"--namespace={NAMESPACE}", "--replicas=3")
    assert "1 update" in platform.run("up", "--refresh").stderr
    assert platform.pool()["spec"]["replicas"] == 2
    eventually(lambda: platform.pool()["status"].get("readyReplicas") == 2, 30, "the pool is as it was")


def test_no_file_of_the_engines_state_is_one_that_a_kill_can_cut_short(platform: Deployment) -> None:
    """The backend replaces states in one go, but not the files that it would keep their attributes in."""
    files = [each.name for each in platform.state.backend.rglob("*") if each.is_file()]
    assert "local.json" in files
    assert not [name for name in files if name.endswith(".attrs")]


def test_no_command_changes_the_stack_file(platform: Deployment) -> None:
    del platform
    assert yaml.safe_load((CHECKOUT / "Pulumi.local.yaml").read_text()) == STACK_FILE


@pytest.mark.parametrize("binary", ["agent-sandbox-controller", "sandbox-router"])
def test_a_host_process_that_dies_is_started_again(platform: Deployment, binary: str) -> None:
    def entry() -> dict[str, Any]:
        return next(each for each in reported(platform.state).values() if each["binary"] == binary)

    killed, restarts = entry()["pid"], entry()["restarts"]
    platform.process(binary).kill()
    eventually(lambda: entry()["pid"] not in (killed, None), 30, f"{binary} runs again")
    assert entry()["restarts"] == restarts + 1
    eventually(lambda: platform.run("status", expect=None).returncode == 0, 30, "all is well again")


def test_the_controller_acts_as_the_service_account_that_the_stack_gave_rights_to(platform: Deployment) -> None:
    sandboxes = platform.api.items(f"{SANDBOXES}/namespaces/{NAMESPACE}/sandboxes")
    assert sandboxes
    log = (platform.state.logs / "agent-sandbox-controller.log").read_text()
    assert "forbidden" not in log
    kubeconfig = platform.state.root / "run" / "agent-sandbox-system-agent-sandbox-controller.kubeconfig"
    assert "system:serviceaccount:agent-sandbox-system:agent-sandbox-controller" in kubeconfig.read_text()


def test_logs_are_found_by_name_and_a_wrong_name_lists_them(platform: Deployment) -> None:
    assert "kube-apiserver" in platform.run("logs", "--lines", "1").stdout
    assert platform.run("logs", "sandbox-router", "--lines", "5").stdout.strip()
    assert "There are: agent-sandbox-controller, etcd" in platform.run("logs", "nonsense", expect=1).stderr


def test_kubeconfig_prints_a_path_alone_and_nobody_else_may_read_it(platform: Deployment) -> None:
    printed = platform.run("kubeconfig").stdout
    assert printed == f"{platform.state.kubeconfig}\n"
    assert platform.state.kubeconfig.stat().st_mode & 0o077 == 0


def test_every_server_listens_on_loopback_only(platform: Deployment) -> None:
    listening = [
        (process.name(), connection.laddr.ip)
        for process in processes.belonging_to(platform.state.root)
        for connection in process.net_connections(kind="tcp")
        if connection.status == "LISTEN"
    ]
    assert len(listening) > 8
    assert {ip for _, ip in listening} == {"127.0.0.1"}, listening
