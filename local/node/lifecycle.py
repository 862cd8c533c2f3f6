"""The node from nothing to Ready, again after a crash, and gone without a trace."""

import contextlib
import os
import shutil
import subprocess
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

import yaml

from local import processes
from local.api import Api, ApiError, holds
from local.console import Failure, Step
from local.control_plane import MANIFESTS, ControlPlane, Design
from local.node import cgroups, config, preflight, readiness
from local.node.config import Machine, NodeSettings
from local.paths import State
from local.toolchain import Toolchain

HERE = Path(__file__).parent
READY_TIMEOUT = 120
"""Seconds for the node to become Ready; it takes about five."""
TOOLS = ("containerd", "containerd-shim-runc-v2", "containerd-shim-runsc-v1", "ctr", "runsc", "kubelet", "kube-router")
BOX_STARTERS = ("setpriv", "unshare")
"""What the keeper starts the box by; their command lines name its init too."""
NETWORK_PLUGINS = ("ptp", "host-local", "loopback")


def design(state: State) -> Design:
    """A control plane for a real node: its API server reaches the node through the keeper, and nothing else does."""
    pki = ControlPlane(state, Toolchain({})).folder / "pki"
    return Design(
        manifests=(MANIFESTS / "runtime-classes.yaml", HERE / "cluster"),
        options={"kubeApiserverCertSANs": [config.API_ADDRESS]},
        flags={
            "kube-apiserver": {
                "service-cluster-ip-range": config.SERVICE_SUBNET,
                "egress-selector-config-file": str(_write_egress(state)),
                "kubelet-client-certificate": str(pki / "admin.crt"),
                "kubelet-client-key": str(pki / "admin.key"),
                "kubelet-preferred-address-types": "InternalIP",
            },
            # Else kwok plays every node's kubelet, and calls this one's pods ready before they are.
            "kwok-controller": {
                "manage-all-nodes": "false",
                "manage-nodes-with-annotation-selector": "kwok.x-k8s.io/node=fake",
            },
        },
    )


def _write_egress(state: State) -> Path:
    transport = {"uds": {"udsName": str(config.egress_socket(state))}}
    content = {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [
            {"name": "cluster", "connection": {"proxyProtocol": "HTTPConnect", "transport": transport}}
        ],
    }
    file = config.folder(state) / "egress.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))
    return file


def ensure(state: State, control_plane: ControlPlane, programs: Mapping[str, Path]) -> list[str]:
    """Start the node if it does not run; `wait_until_ready` comes later.

    Returns the pods, as paths, that were ready when it died. Raises Failure.
    """
    if keeper(state) is not None:
        return []
    clean_up(state)
    try:
        withdrawn = readiness.withdraw(Api(state.kubeconfig))
    except ApiError as error:
        raise Failure(f"The API server cannot be told that the node is down: {error}") from error
    settings = NodeSettings(
        state=str(state.root),
        machine=Machine(cgroups.is_v2(), preflight.may_lower_oom_score()),
        api_port=_port(state),
    )
    folder = config.folder(state)
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    settings.write()
    config.write_files(settings)
    _write_credentials(state, control_plane)
    _link_programs(folder / "bin", control_plane.toolchain, programs)
    runtime = config.runtime_folder(state)
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    cgroups.create(f"agent-sandbox-{config.identity(state)}", folder / "cgroups.json")
    processes.start("local.node.keeper", state.root, folder / "logs" / "node.log")
    return withdrawn


def import_images(state: State, ctr: Path, images: Mapping[str, Path], progress: Step) -> None:
    """Hand `images` to the node's containerd, but for those that it has. Raises Failure."""
    progress.update("waiting for containerd")
    deadline = time.monotonic() + READY_TIMEOUT
    while True:
        socket = f"/proc/{first_process(state)}/root{config.CONTAINERD}"
        command = [str(ctr), f"--address={socket}", "--namespace=k8s.io"]
        listed = subprocess.run([*command, "images", "list", "--quiet"], capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            break
        _require_alive(state, deadline)
        time.sleep(0.1)
    for name in sorted(set(images) - set(listed.stdout.split())):
        progress.update(f"importing {name}")
        ended = subprocess.run(
            [*command, "images", "import", str(images[name])], capture_output=True, text=True, check=False
        )
        if ended.returncode != 0:
            raise Failure(f"{name} cannot be imported: {ended.stderr.strip()[-500:]}")


def wait_until_ready(state: State, progress: Step) -> None:
    """Wait until the node says that it is Ready. Raises Failure with what its log says last."""
    api = Api(state.kubeconfig)
    deadline = time.monotonic() + READY_TIMEOUT
    while True:
        with contextlib.suppress(ApiError):
            if holds(api.find(readiness.NODE) or {}, "Ready"):
                return
        _require_alive(state, deadline)
        progress.update("waiting for the kubelet")
        time.sleep(0.1)


def _require_alive(state: State, deadline: float) -> None:
    if keeper(state) is None or time.monotonic() > deadline:
        raise Failure(f"The node did not come up. `make logs` has it all; the last lines:\n{_last_lines(state)}")


def first_process(state: State) -> int | None:
    """The process id of the box's init, as this machine counts, if it runs."""
    found = [each for each in processes.belonging_to(state.root) if "local.node.init" in processes.command(each)]
    inits = [each for each in found if Path(processes.command(each)[0]).name not in BOX_STARTERS]
    return inits[0].pid if inits else None


def keeper(state: State) -> int | None:
    """The keeper's process id, if it runs."""
    for process in processes.belonging_to(state.root):
        if "local.node.keeper" in processes.command(process):
            return process.pid
    return None


def clean_up(state: State) -> None:
    """Remove what outlives the node's processes: its control groups and its folder for sockets."""
    cgroups.remove(config.folder(state) / "cgroups.json")
    shutil.rmtree(config.runtime_folder(state), ignore_errors=True)
    with contextlib.suppress(OSError):
        config.runtime_folder(state).parent.rmdir()  # the last deployment's


def require_rights(state: State) -> None:
    """Refuse to end a real node without the rights to, which would leave half of it. Raises Failure."""
    if is_real(state) and os.geteuid() != 0:
        raise Failure("A real node was brought up here as root, and only root can end it: sudo make down")


def is_real(state: State) -> bool:
    """Whether the deployment was made with a real node."""
    return config.folder(state).exists()


def _port(state: State) -> int:
    cluster = yaml.safe_load(state.kubeconfig.read_text())["clusters"][0]["cluster"]
    return urllib.parse.urlsplit(cluster["server"]).port or 443


def _write_credentials(state: State, control_plane: ControlPlane) -> None:
    """Who the node's programs are to the API server: the kubelet as a node, kube-router as one that reads."""
    etc = config.folder(state) / "etc"
    users = {"kubelet": (f"system:node:{config.NAME}", "system:nodes"), "kube-router": ("kube-router", "node:network")}
    for name, (user, group) in users.items():
        file = etc / f"{name}.kubeconfig"
        file.touch(mode=0o600)
        file.write_text(control_plane.credentials(user, group, f"{config.API_ADDRESS}:443"))
    shutil.copyfile(control_plane.folder / "pki" / "ca.crt", etc / "ca.crt")


def _link_programs(folder: Path, tools: Toolchain, programs: Mapping[str, Path]) -> None:
    """Everything that the node runs, in the one folder that comes first on its PATH."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    own = {"runsc-as-runc": HERE / "runsc-as-runc", "ipset": HERE / "ipset-of-ipv4"}
    targets = {
        **{name: tools.path(name) for name in (*TOOLS, *NETWORK_PLUGINS)},
        **programs,
        "ipset-itself": programs["ipset"],
        **own,
    }
    for name, target in targets.items():
        (folder / name).symlink_to(target)


def _last_lines(state: State) -> str:
    lines: list[str] = []
    for name in ("node", "containerd", "kubelet"):
        file = config.folder(state) / "logs" / f"{name}.log"
        if file.exists():
            lines += [f"  {name}: {line}" for line in file.read_text(errors="replace").splitlines()[-4:]]
    return "\n".join(lines)
