"""From nothing to a platform and back, also when something is killed on the way."""

import hashlib
import json
import subprocess
from collections.abc import Callable
from typing import Any

import psutil
import pytest
import yaml

import releases
from local import processes, toolchain
from local.api import EXTENSIONS, Api, ApiError, Json
from local.cluster import bring_up_cluster
from local.console import Step
from local.control_plane import ControlPlane
from local.engine import Engine, EngineFailure
from tests.engine.conftest import NAMESPACE, STACK_FILE, Deployment, eventually
from tests.unit.test_settings import GOOD, WRONG

pytestmark = pytest.mark.engine

RESTLESS = {"events", "leases", "endpointslices", "endpoints", "nodes", "apiservices", "componentstatuses"}
"""Kinds that change by themselves on an idle control plane."""


def everything(api: Api) -> dict[str, Json]:
    """Every object that the API server holds, by its path, without what it counts and times."""
    groups = ["/api/v1"] + [
        f"/apis/{group['preferredVersion']['groupVersion']}" for group in api.get("/apis")["groups"]
    ]
    found = {}
    for group in groups:
        for resource in api.get(group)["resources"]:
            if "/" in resource["name"] or "list" not in resource["verbs"] or resource["name"] in RESTLESS:
                continue
            for item in api.items(f"{group}/{resource['name']}"):
                metadata = item["metadata"]
                for noise in ("managedFields", "resourceVersion", "generation", "creationTimestamp"):
                    metadata.pop(noise, None)
                item.pop("status", None)
                found[f"{group}/{metadata.get('namespace', '')}/{resource['name']}/{metadata['name']}"] = item
    return found


def settled(deployment: Deployment) -> dict[str, Json]:
    """Everything on a fresh control plane, once it has made what it makes by itself in each namespace."""

    def complete() -> bool:
        namespaces = len(deployment.api.items("/api/v1/namespaces"))
        return (
            len(deployment.api.items("/api/v1/configmaps", fieldSelector="metadata.name=kube-root-ca.crt"))
            == namespaces
            and len(deployment.api.items("/api/v1/serviceaccounts", fieldSelector="metadata.name=default"))
            == namespaces
        )

    eventually(complete, 60, "the control plane has settled")
    return everything(deployment.api)


def listening(connections: Any) -> set[int]:
    return {each.laddr.port for each in connections if each.status == "LISTEN"}


def test_destroy_leaves_the_api_server_as_it_was_and_down_leaves_nothing(
    deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    deployment.environment["TMPDIR"] = str(temporary)
    bring_up_cluster(deployment.state, toolchain.ensure())
    before = settled(deployment)
    deployment.run("up")
    assert len(everything(deployment.api)) > len(before) + 20
    deployment.run("destroy")

    def as_before() -> bool:
        return set(everything(deployment.api)) == set(before)

    eventually(as_before, 30, f"gone again: {set(everything(deployment.api)) ^ set(before)}")
    assert everything(deployment.api) == before

    ours = processes.belonging_to(deployment.state.root)
    ports = {port for process in ours for port in listening(process.net_connections(kind="tcp"))}
    assert ports
    deployment.run("down")
    assert processes.belonging_to(deployment.state.root) == []
    assert not ports & listening(psutil.net_connections(kind="tcp"))
    assert list(deployment.folder.iterdir()) == []
    assert list(temporary.iterdir()) == []
    assert "there is nothing to do" in deployment.run("down").stdout


def test_a_policy_violation_stops_the_update_before_anything_changed(deployment: Deployment) -> None:
    soft = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "soft", "namespace": "agent-sandbox-system"},
        "spec": {
            "selector": {"matchLabels": {"app": "soft"}},
            "template": {
                "metadata": {"labels": {"app": "soft"}},
                "spec": {"containers": [{"name": "root", "image": "registry.example/soft:v1"}]},
            },
        },
    }
    release = releases.default()
    release.fetch()
    manifest = deployment.folder / "soft.yaml"
    manifest.write_text(release.manifest_path.read_text() + "\n---\n" + yaml.safe_dump(soft))
    controller = {
        "manifest": str(manifest),
        "sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
        "image": release.controller_image,
    }
    bring_up_cluster(deployment.state, toolchain.ensure())
    before = settled(deployment)
    refused = deployment.run("up", *deployment.with_config(controller=controller), expect=1).stderr
    assert "[mandatory] pod-security-restricted: runAsNonRoot: DaemonSet/agent-sandbox-system/soft: spec." in refused
    assert "spec.template.spec.containers[0].securityContext.runAsNonRoot is not true" in refused
    assert "[mandatory] pod-security-restricted: capabilities_restricted: DaemonSet" in refused
    assert everything(deployment.api) == before


def test_the_engine_refuses_every_wrong_stack_file_and_registers_nothing(deployment: Deployment) -> None:
    """What `pulumi up` itself says, where our own commands refuse earlier. There is no cluster yet."""
    file = deployment.folder / "Pulumi.wrong.yaml"
    file.write_text(yaml.safe_dump(STACK_FILE))
    engine = Engine("local", deployment.state, toolchain.ensure(), file)
    for wrong, expected in WRONG:
        values = {f"agent-sandbox:{key}": value for key, value in {**GOOD, **wrong}.items()}
        file.write_text(yaml.safe_dump({**STACK_FILE, "config": values}))
        with pytest.raises(EngineFailure) as raised:
            engine._run("up", engine.stack.up, Step("up"))
        told = str(raised.value)
        if "must be of type 'object'" not in told:  # Pulumi itself minds the types that Pulumi.yaml declares
            assert expected in told
            assert "nothing was changed" in told
    exported = engine.stack.export_stack().deployment or {}
    assert [each["type"] for each in exported.get("resources", [])] in ([], ["pulumi:pulumi:Stack"])


def kinds_there(deployment: Deployment, path: str) -> Callable[[], bool]:
    def there() -> bool:
        try:
            return bool(deployment.api.items(path))
        except ApiError:
            return False

    return there


MOMENTS = {
    "the first namespace": "/api/v1/namespaces/agent-sandbox-system/serviceaccounts",
    "the kinds": "",
    "the controller": "/apis/apps/v1/namespaces/agent-sandbox-system/deployments",
    "the template": f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxtemplates",
    "the pool": f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxwarmpools",
}


def crds_there(deployment: Deployment) -> Callable[[], bool]:
    def there() -> bool:
        found = deployment.api.items("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
        return any("agents.x-k8s.io" in each["metadata"]["name"] for each in found)

    return there


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_update_killed_in_its_middle_is_finished_by_the_next(deployment: Deployment, moment: str) -> None:
    bring_up_cluster(deployment.state, toolchain.ensure())
    reached = crds_there(deployment) if moment == "the kinds" else kinds_there(deployment, MOMENTS[moment])
    running = deployment.start("up")
    eventually(reached, 90, moment)
    deployment.kill("pulumi", "pulumi-resource-kubernetes")  # what serves the cluster goes on
    running.kill()
    running.wait()
    deployment.run("up")
    assert "All is well." in deployment.run("status").stdout
    assert "nothing to change" in deployment.run("up").stderr


def test_an_update_whose_api_server_is_killed_is_finished_by_the_next(deployment: Deployment) -> None:
    bring_up_cluster(deployment.state, toolchain.ensure())
    running = deployment.start("up")
    eventually(crds_there(deployment), 90, "the kinds are there")
    deployment.process("kube-apiserver").kill()
    printed, _ = running.communicate(timeout=400)
    assert running.returncode == 1, printed
    deployment.run("up")
    assert "All is well." in deployment.run("status").stdout


def test_everything_killed_while_it_is_up_comes_back(deployment: Deployment) -> None:
    deployment.run("up")
    deployment.kill()
    assert deployment.run("status", expect=1).stdout.startswith("  ✗ control plane")
    deployment.run("up")
    assert "All is well." in deployment.run("status").stdout


def test_a_stopped_etcd_id_that_belongs_to_another_program_now_misleads_nobody(deployment: Deployment) -> None:
    tools = toolchain.ensure()
    control_plane = bring_up_cluster(deployment.state, tools)
    deployment.process("kube-scheduler").kill()
    stranger = subprocess.Popen(["sleep", "300"])
    try:
        (control_plane.folder / "pids" / "kube-scheduler.pid").write_text(str(stranger.pid))
        bring_up_cluster(deployment.state, tools)
        assert "kube-scheduler" in ControlPlane(deployment.state, tools).running()
        deployment.run("down")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_two_deployments_run_side_by_side(deployment: Deployment, platform: Deployment) -> None:
    deployment.run("up")
    for each in (deployment, platform):
        assert json.loads(each.run("status", "--json").stdout)["well"] is True
    deployment.run("down")
    assert json.loads(platform.run("status", "--json").stdout)["well"] is True


def test_commands_on_what_is_not_up_say_so(deployment: Deployment) -> None:
    told: dict[str, Any] = {
        "status": ("make up", 1),
        "claim": ("make up", 1),
        "logs": ("make up", 1),
        "down": ("there is nothing to do", 0),
        "destroy": ("there is nothing to destroy", 0),
    }
    for command, (text, status) in told.items():
        ended = deployment.run(command, expect=status)
        assert text in ended.stdout + ended.stderr
    assert not deployment.state.root.exists()
