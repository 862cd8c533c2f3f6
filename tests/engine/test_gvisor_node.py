"""A real node: what a sandbox is, what it cannot do, whom it reaches, and what is left when all is down.

Skipped, with the reason, where the machine cannot run one.
"""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

import settings
from local import nodes, processes, toolchain
from local.api import EXTENSIONS, SANDBOXES, Json
from local.cluster import bring_up_cluster
from local.node import config, hello, lifecycle, packages, preflight
from local.node.hello import connecting, shell
from local.paths import CHECKOUT, State
from tests.engine.conftest import NAMESPACE, Deployment, eventually

pytestmark = pytest.mark.engine

CLAIMS = f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxclaims"
SYSTEM = "/api/v1/namespaces/agent-sandbox-system/pods"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment on a real node, up; its tests leave it up."""
    made = Deployment(tmp_path_factory.mktemp("node"))
    stopping = [each for each in preflight.examine(made.state) if each.stops]
    if stopping:
        pytest.skip("no real node on this machine: " + "; ".join(each.what for each in stopping))
    kind = nodes.Gvisor()  # what takes minutes the first time is fetched and built outside of the test's time
    kind.prepare(toolchain.ensure(kind.tools), settings.read(CHECKOUT / "Pulumi.local.yaml"))
    made.run("up", "--node", "gvisor")
    yield made
    made.run("down", expect=None)


@pytest.fixture(scope="module")
def sandboxes(node: Deployment) -> Iterator[list[Any]]:
    """Two sandboxes out of the warm pool, as the Python client hands them over."""
    with hello.client(node.state) as client:
        yield [client.create_sandbox("python", NAMESPACE, sandbox_ready_timeout=60) for _ in range(2)]


def pod_of(node: Deployment, sandbox: Any) -> Json:
    return node.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods/{sandbox.get_pod_name()}")


def in_box(node: Deployment, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run `command` in the box's network, with this machine's files."""
    entering = ["nsenter", f"--target={lifecycle.first_process(node.state)}", "--net"]
    return subprocess.run([*entering, *command], capture_output=True, text=True, check=False)


def test_everything_runs_on_the_real_node_and_nothing_as_a_host_process(node: Deployment) -> None:
    assert [each["metadata"]["name"] for each in node.api.items("/api/v1/nodes")] == [config.NAME]
    info = node.api.get(f"/api/v1/nodes/{config.NAME}")["status"]["nodeInfo"]
    assert info["containerRuntimeVersion"].startswith("containerd://2.")
    eventually(lambda: node.pool()["status"].get("readyReplicas") == 2, 60, "the pool is full")
    pods = [*node.api.items(SYSTEM), *node.api.items(f"/api/v1/namespaces/{NAMESPACE}/pods")]
    assert len(pods) >= 6
    assert {pod["spec"]["nodeName"] for pod in pods} == {config.NAME}
    assert not (node.state.root / "host-processes.json").exists()
    assert "All is well." in node.run("status").stdout


def test_a_pod_is_ready_because_the_kubelet_says_so(node: Deployment) -> None:
    managers = {
        entry["manager"]
        for pod in node.api.items(f"/api/v1/namespaces/{NAMESPACE}/pods")
        for entry in pod["metadata"]["managedFields"]
        if entry.get("subresource") == "status"
    }
    assert "kubelet" in managers
    assert not {each for each in managers if "kwok" in each}, managers


def test_hello_prints_the_line_from_inside_and_what_the_sandbox_says_of_itself(node: Deployment) -> None:
    printed = node.run("hello").stdout
    assert re.search(r"✓ echo 'Hello from Agent Sandbox' +Hello from Agent Sandbox$", printed, re.MULTILINE), printed
    assert "Starting gVisor..." in printed
    assert "CapEff: 0000000000000000" in printed
    assert "uid=1000" in printed
    assert "✗" not in printed


PYTHON = "python3 -c {}".format
ESCAPES = {
    "become root": PYTHON(shlex.quote("import os; os.setuid(0)")),
    "mount a file system": "mount -t tmpfs tmpfs /mnt",
    "mount the node's disk": "mount /dev/vda /mnt",
    "read the node's disk through a device of its own making": shell("mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk"),
    "write to the kernel's settings": shell("echo 1 > /proc/sys/kernel/panic"),
    "trigger a reboot": shell("echo b > /proc/sysrq-trigger"),
    "write to the root of the file system": shell("echo escaped > /escaped"),
    "write to the system's programs": shell("echo escaped > /bin/escaped"),
    "read the machine's memory": "head -c 1 /dev/mem",
    "open a raw socket": PYTHON(shlex.quote("import socket as s; s.socket(s.AF_INET, s.SOCK_RAW, s.IPPROTO_ICMP)")),
    "listen to the wire": PYTHON(shlex.quote("import socket as s; s.socket(s.AF_PACKET, s.SOCK_RAW, 768)")),
    "see the node's processes": shell(
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -E '[k]ubelet|[c]ontainerd|[e]tcd'"
    ),
    "trace the first process": PYTHON(
        shlex.quote("import ctypes, sys; sys.exit(0 if ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0 else 1)")
    ),
    "find containerd's socket": shell("ls /run/containerd /var/run/containerd /run/node"),
    "leave by chroot": "chroot /proc/1/root true",
    "change the clock": "date --set=2000-01-01",
    "find a token": "ls /var/run/secrets/kubernetes.io/serviceaccount",
}
"""What code might try in order to get out, as a command that ends well only if it did."""


@pytest.mark.parametrize("attempt", ESCAPES)
def test_an_attempt_to_escape_fails(sandboxes: list[Any], attempt: str) -> None:
    got = sandboxes[0].commands.run(ESCAPES[attempt])
    assert got.exit_code != 0, f"{attempt}: {got.stdout}"
    assert got.exit_code != 127, f"{attempt} was not even tried: {got.stderr}"


def test_a_file_that_a_sandbox_writes_is_in_no_other_and_not_on_the_machine(sandboxes: list[Any]) -> None:
    name = f"/tmp/of-one-sandbox-{os.getpid()}"  # noqa: S108 - of the sandbox, which has its own
    assert sandboxes[0].commands.run(shell(f"echo mine > {name} && cat {name}")).exit_code == 0
    assert sandboxes[1].commands.run(f"cat {name}").exit_code != 0
    assert not Path(name).exists()


@contextmanager
def standing_in(node: Deployment, *addresses: str) -> Iterator[None]:
    """Servers at `addresses`, port 80, in the box's network: stand-ins for what is not there."""
    for address in addresses:
        assert in_box(node, "ip", "address", "add", f"{address}/32", "dev", "lo").returncode == 0
    serve = "import http.server as h; h.ThreadingHTTPServer(('', 80), h.SimpleHTTPRequestHandler).serve_forever()"
    entering = ["nsenter", f"--target={lifecycle.first_process(node.state)}", "--net"]
    with subprocess.Popen([*entering, sys.executable, "-c", serve], cwd=node.folder, stderr=subprocess.DEVNULL) as made:
        try:
            yield
        finally:
            made.kill()
            for address in addresses:
                in_box(node, "ip", "address", "delete", f"{address}/32", "dev", "lo")


def test_a_sandbox_reaches_what_its_policy_allows_and_nothing_else(node: Deployment, sandboxes: list[Any]) -> None:
    public = "203.0.113.7"
    router, controller = (
        next(pod["status"]["podIP"] for pod in node.api.items(SYSTEM) if pod["metadata"]["labels"]["app"] == app)
        for app in ("sandbox-router", "agent-sandbox-controller")
    )
    other = pod_of(node, sandboxes[1])["status"]["podIP"]
    expected = {
        ("a public address", public, 80): True,
        ("the cloud's metadata server", hello.METADATA, 80): False,
        ("the API server", config.API_ADDRESS, 443): False,
        ("the kubelet", config.NODE_ADDRESS, config.KUBELET_PORT): False,
        ("a server on the node", config.NODE_ADDRESS, 80): False,
        ("another sandbox", other, 8888): False,
        ("the router", router, 8080): False,
        ("the controller's health", controller, 8081): False,
    }
    with standing_in(node, public, hello.METADATA):
        there = {
            target: in_box(node, *shlex.split(connecting(target[1], target[2]))).returncode == 0 for target in expected
        }
        eventually(lambda: in_box(node, *shlex.split(connecting(public, 80))).returncode == 0, 10, "stand-ins serve")
        there = {
            target: in_box(node, *shlex.split(connecting(target[1], target[2]))).returncode == 0 for target in expected
        }
        reached = {
            target: sandboxes[0].commands.run(connecting(target[1], target[2])).exit_code == 0 for target in expected
        }
    assert all(there.values()), f"the node itself does not reach: {there}"
    assert reached == expected


def test_this_machine_and_the_node_share_no_network(node: Deployment) -> None:
    links = json.loads(in_box(node, "ip", "-json", "link").stdout)
    assert {each["ifname"] for each in links if not each["ifname"].startswith("veth")} == {"lo"}
    assert in_box(node, "ip", "route", "show", "default").stdout == ""
    assert not any(
        address.address == config.NODE_ADDRESS for each in psutil.net_if_addrs().values() for address in each
    )


def sandbox_with_a_volume(template: Json) -> Json:
    pod = template["spec"]["podTemplate"]["spec"]
    container = {**pod["containers"][0], "volumeMounts": [{"name": "kept", "mountPath": "/kept"}]}
    return {
        "apiVersion": "agents.x-k8s.io/v1beta1",
        "kind": "Sandbox",
        "metadata": {"name": "with-volume", "namespace": NAMESPACE},
        "spec": {
            "podTemplate": {"spec": {**pod, "containers": [container]}},
            "volumeClaimTemplates": [
                {
                    "metadata": {"name": "kept"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
                }
            ],
        },
    }


def test_a_suspended_sandbox_keeps_its_file_until_it_is_resumed(node: Deployment) -> None:
    path = f"{SANDBOXES}/namespaces/{NAMESPACE}/sandboxes"
    template = node.api.get(f"/apis/extensions.agents.x-k8s.io/v1beta1/namespaces/{NAMESPACE}/sandboxtemplates/python")
    node.api.create(path, sandbox_with_a_volume(template))
    kubectl = [str(node.state.root / "bin" / "kubectl"), f"--kubeconfig={node.state.kubeconfig}", "-n", NAMESPACE]

    def pods() -> list[Json]:
        return [
            pod
            for pod in node.api.items(f"/api/v1/namespaces/{NAMESPACE}/pods")
            if pod["metadata"]["name"] == "with-volume"
        ]

    def is_ready() -> bool:
        return any(
            each["type"] == "Ready" and each["status"] == "True"
            for pod in pods()
            for each in pod.get("status", {}).get("conditions", [])
        )

    def execute(script: str) -> str:
        command = [*kubectl, "exec", "with-volume", "--", "sh", "-c", script]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def switch(mode: str) -> None:
        patch = json.dumps({"spec": {"operatingMode": mode}})
        subprocess.run([*kubectl, "patch", "sandbox", "with-volume", "--type=merge", "-p", patch], check=True)

    eventually(is_ready, 60, "the sandbox is ready")
    first = pods()[0]["metadata"]["uid"]
    execute("echo kept > /kept/file")
    switch("Suspended")
    eventually(lambda: not pods(), 60, "the suspended sandbox has no pod")
    switch("Running")
    eventually(is_ready, 60, "the sandbox is ready again")
    assert pods()[0]["metadata"]["uid"] != first
    assert execute("cat /kept/file") == "kept\n"
    node.api.delete(f"{path}/with-volume")
    eventually(lambda: not pods(), 60, "the sandbox is gone")


def test_what_the_kubelet_says_gets_out_through_the_api_server(node: Deployment) -> None:
    pod = next(pod for pod in node.api.items(SYSTEM) if pod["metadata"]["labels"]["app"] == "sandbox-router")
    kubectl = [str(node.state.root / "bin" / "kubectl"), f"--kubeconfig={node.state.kubeconfig}"]
    logs = subprocess.run(
        [*kubectl, "logs", "-n", "agent-sandbox-system", pod["metadata"]["name"]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert logs.stdout.strip()
    assert "kubelet" in node.run("logs", "--lines", "1").stdout


def test_a_deployment_keeps_its_kind_of_node(node: Deployment) -> None:
    refused = node.run("up", "--node", "simulated", expect=1)
    assert "this deployment was made with gvisor nodes" in refused.stderr


def test_claims_in_a_row_are_given_back_one_by_one(node: Deployment, sandboxes: list[Any]) -> None:
    printed = node.run("claim", "--count", "3").stdout
    assert "3 of them warm" in printed, printed
    eventually(lambda: len(node.api.items(CLAIMS)) == len(sandboxes), 30, "none of its own is left")


def test_when_everything_was_killed_up_brings_it_back(node: Deployment, sandboxes: list[Any]) -> None:
    del sandboxes  # there are two more in the pods that come back
    eventually(lambda: node.pool()["status"].get("readyReplicas") == 2, 60, "the pool is full")
    killed = processes.belonging_to(node.state.root)
    assert len(killed) > 10
    for process in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not any(processes.runs(each) for each in killed), 20, "all are dead")
    node.run("up")
    pods = node.api.items(f"/api/v1/namespaces/{NAMESPACE}/pods")
    addresses = {pod["metadata"]["name"]: [each["ip"] for each in pod["status"]["podIPs"]] for pod in pods}
    known = node.api.items(f"{SANDBOXES}/namespaces/{NAMESPACE}/sandboxes")
    assert {each["metadata"]["name"]: each["status"]["podIPs"] for each in known} == addresses
    assert "All is well." in node.run("status").stdout
    assert "✗" not in node.run("hello").stdout


def traces(state: State) -> dict[str, Any]:
    """What a node could leave on a machine."""
    programs = packages.find()
    groups = subprocess.run(
        ["find", "/sys/fs/cgroup", "-name", f"*{config.identity(state)}*", "-o", "-name", "kubepods*"],
        capture_output=True,
        text=True,
        check=False,
    )
    kernel = (
        "vm/overcommit_memory",
        "vm/panic_on_oom",
        "kernel/panic",
        "kernel/panic_on_oops",
        "net/ipv4/ip_forward",
        "net/ipv6/conf/all/disable_ipv6",
    )
    return {
        "processes": [each.pid for each in processes.belonging_to(state.root)],
        "mounts": [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(state.root) in line],
        "links": sorted(psutil.net_if_addrs()),
        "firewall": re.findall(
            r"KUBE\S+", subprocess.run([programs["iptables-save"]], capture_output=True, text=True, check=True).stdout
        ),
        "control groups": groups.stdout.split(),
        "kernel": {
            name: (Path("/proc/sys") / name).read_text() for name in kernel if (Path("/proc/sys") / name).exists()
        },
        "sockets": config.runtime_folder(state).exists(),
        "folders": sorted(
            str(path)
            for top in ("/etc", "/opt", "/run", "/var/lib", "/var/log")
            for path in Path(top).rglob("*")
            if re.search(r"cni|kube|containerd|runsc|runc|nri|netns", str(path))
        ),
        "state": state.root.exists(),
    }


def bring_up_one_sandbox(deployment: Deployment) -> None:
    """A node with one sandbox's pod and no stack, in a third of the time: what a node leaves, this would."""
    kind = nodes.Gvisor()
    tools = toolchain.ensure(kind.tools)
    stack = settings.read(CHECKOUT / "Pulumi.local.yaml")
    kind.prepare(tools, stack)
    bring_up_cluster(deployment.state, tools, kind)
    api = deployment.api
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    eventually(lambda: api.find(account) is not None, 30, "the namespace has an account")
    image = stack.templates["python"]["image"]
    container = {"name": "server", "image": image, "imagePullPolicy": "Never"}
    spec = {"runtimeClassName": "gvisor", "automountServiceAccountToken": False, "containers": [container]}
    pods = "/api/v1/namespaces/default/pods"
    api.create(pods, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sandbox"}, "spec": spec})
    eventually(lambda: api.get(f"{pods}/sandbox").get("status", {}).get("phase") == "Running", 60, "a sandbox runs")


def test_ten_rounds_of_up_and_down_leave_nothing(node: Deployment, deployment: Deployment) -> None:
    node.run("down")  # room for another
    before = traces(deployment.state)
    assert not before["state"]
    for number in range(10):
        if number in (0, 9):
            deployment.run("up", "--node", "gvisor")
        else:
            bring_up_one_sandbox(deployment)
        assert traces(deployment.state) != before
        deployment.run("down")
        assert traces(deployment.state) == before, f"round {number + 1}"


def test_a_node_that_was_killed_is_cleared_away_by_down(node: Deployment, deployment: Deployment) -> None:
    del node  # this machine can run one
    made = deployment
    before = traces(made.state)
    starting = made.start("up", "--node", "gvisor")
    eventually(lambda: lifecycle.keeper(made.state) is not None, 120, "the node starts")
    time.sleep(2)
    starting.kill()
    starting.communicate()
    made.kill()
    made.run("down")
    assert traces(made.state) == before
