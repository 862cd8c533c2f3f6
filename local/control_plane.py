"""The embedded control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok.

kwokctl makes, starts and wires them, as plain processes on loopback; this module tells it which
binaries to use and dresses the cluster as GKE would hand it over: two nodes, the gVisor runtime
class, the Gateway API and GKE's own kinds. What runs on the cluster is Pulumi's.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from local import building, ports, processes
from local.api import Api, holds
from local.bootstrap import locked
from local.console import Failure, Step, say
from local.paths import CACHE, CHECKOUT, State, made_whole
from local.toolchain import Toolchain
from local.tools import SOURCES, pinned

NAME = "agent-sandbox"
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller")
PORTS = (
    "etcdPort",
    "etcdPeerPort",
    "kubeApiserverPort",
    "kubeControllerManagerPort",
    "kubeSchedulerPort",
    "kwokControllerPort",
)
"""As kwokctl's configuration names them."""
MANIFESTS = CHECKOUT / "local" / "cluster"
KINDS = MANIFESTS / "kinds"
START_TIMEOUT = 120
"""Seconds for the API server to answer; it takes about four."""
WAY_OUT = "If its port was taken meanwhile, `make down` and `make up` choose another."


@dataclass(frozen=True)
class Design:
    """How a control plane differs with the kind of node that it is for."""

    manifests: tuple[Path, ...] = (MANIFESTS / "nodes.yaml", MANIFESTS / "runtime-classes.yaml")
    """What it is dressed with; by default the simulated nodes, and GKE's runtime class."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """More of kwokctl's options."""
    flags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """More flags, by component; of two that are the same, a component takes the last."""


class ControlPlane:
    """The control plane of one deployment."""

    def __init__(self, state: State, toolchain: Toolchain, design: Design | None = None) -> None:
        self.state = state
        self.toolchain = toolchain
        self.design = design or Design()

    @property
    def folder(self) -> Path:
        return self.state.kwok / "clusters" / NAME

    @property
    def exists(self) -> bool:
        return (self.folder / "kubeconfig.yaml").exists()

    def ensure(self, progress: Step) -> None:
        """Create the control plane, or start those of its processes that have ended."""
        if not self.exists:
            self._create(progress)
        elif set(self.running()) != set(COMPONENTS):
            self._start(progress)
        if not self._dressed.exists():
            progress.update("declaring nodes and the runtime class")
            self._apply(*self.design.manifests)

    def dress(self) -> None:
        """Serve what GKE serves beyond Kubernetes, if that was not done yet; `ensure` comes first."""
        if not self._dressed.exists():
            self._apply(gateway_api(), KINDS)
            self._dressed.touch()

    def _apply(self, *manifests: Path) -> None:
        files = [f"--filename={each}" for each in manifests]
        self.kubectl("apply", "--server-side", "--field-manager=agent-sandbox-local", *files)

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def _dressed(self) -> Path:
        return self.state.kwok / "dressed"

    def running(self) -> dict[str, int]:
        """The process id of each component that runs."""
        found = {}
        for process in processes.belonging_to(self.state.root):
            name = Path(next(iter(processes.command(process)), "")).name
            if name in COMPONENTS:
                found[name] = process.pid
        return found

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl against the control plane; returns what it printed. Raises Failure with its words."""
        command = [str(self.toolchain.path("kubectl")), f"--kubeconfig={self.state.kubeconfig}", *arguments]
        ended = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise Failure(f"kubectl {' '.join(arguments[:3])}: {ended.stderr.strip()}")
        return ended.stdout

    def _create(self, progress: Step) -> None:
        progress.update("starting etcd and the API server")
        self.remove()  # what an interrupted creation left
        self.state.kwok.mkdir(parents=True)
        settings = self.state.kwok / "settings.json"
        chosen = ports.reserve(
            self.state.root, PORTS, lambda: progress.update("waiting for another one's choice of ports")
        )
        settings.write_text(json.dumps(self._settings(chosen), indent=2))
        self._kwokctl("--config", str(settings), "create", "cluster", "--kubeconfig=")
        self._write_kubeconfig()
        self._wait_until_ready()

    def remove(self) -> None:
        """End the components and delete all that they stored."""
        processes.end(psutil.Process(pid) for pid in self.running().values())
        shutil.rmtree(self.state.kwok, ignore_errors=True)
        self.state.kubeconfig.unlink(missing_ok=True)

    def _settings(self, chosen: dict[str, int]) -> dict[str, object]:
        binaries = {
            "etcdBinary": "etcd",
            "kubeApiserverBinary": "kube-apiserver",
            "kubeControllerManagerBinary": "kube-controller-manager",
            "kubeSchedulerBinary": "kube-scheduler",
            "kubectlBinary": "kubectl",
            "kwokControllerBinary": "kwok",
        }
        options: dict[str, object] = {key: str(self.toolchain.path(name)) for key, name in binaries.items()}
        options |= {"runtime": "binary", "bindAddress": "127.0.0.1", **chosen, **self.design.options}
        patches = [
            {"name": name, "extraArgs": [{"key": key, "value": value} for key, value in flags.items()]}
            for name, flags in self.design.flags.items()
        ]
        return {
            "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
            "kind": "KwokctlConfiguration",
            "options": options,
            "componentsPatches": patches,
        }

    def _start(self, progress: Step) -> None:
        progress.update("starting what has ended")
        self._forget_stale_ids()
        self._kwokctl("start", "cluster")
        self._wait_until_ready()

    def _forget_stale_ids(self) -> None:
        """Kwokctl trusts its process id files; one whose number now belongs to somebody else misleads it."""
        alive = set(self.running().values())
        for file in (self.folder / "pids").glob("*.pid"):
            if int(file.read_text() or 0) not in alive:
                file.unlink()

    def _wait_until_ready(self) -> None:
        """Wait until all components run, and the API server serves every kind that was declared before it last ended.

        It calls itself ready a moment before that, and a provider that starts in this moment holds on to
        what it saw.
        """
        api = Api(self.state.kubeconfig)
        deadline = time.monotonic() + START_TIMEOUT
        while not (api.is_ready() and self._serves_declared_kinds(api)):
            for name in ("etcd", "kube-apiserver"):
                if name not in self.running():
                    raise Failure(f"{name} has ended: {self._last_words(name)}\n  See `make logs`. {WAY_OUT}")
            if time.monotonic() > deadline:
                raise Failure(f"The API server does not get ready within {START_TIMEOUT} s. See `make logs`. {WAY_OUT}")
            time.sleep(0.1)
        # One that was started a moment ago has no name of its own yet.
        while missing := sorted(set(COMPONENTS) - set(self.running())):
            name = missing[0]
            if time.monotonic() > deadline:
                raise Failure(f"{name} does not run: {self._last_words(name)}\n  See `make logs`. {WAY_OUT}")
            time.sleep(0.1)

    def _serves_declared_kinds(self, api: Api) -> bool:
        """Whether every kind that is declared is served by now.

        One whose declaration was under way when the API server was killed stays so for ever: the server
        goes on with it only when somebody touches it.
        """
        wanted = set()
        for crd in api.items("/apis/apiextensions.k8s.io/v1/customresourcedefinitions"):
            spec, name = crd["spec"], crd["metadata"]["name"]
            served = [version["name"] for version in spec["versions"] if version["served"]]
            wanted |= {(spec["group"], version, spec["names"]["plural"]) for version in served}
            if not holds(crd, "Established"):
                for annotation in ("agent-sandbox.local/touched=", "agent-sandbox.local/touched-"):
                    self.kubectl("annotate", "--overwrite", "customresourcedefinition", name, annotation)
        groups = {(group, version) for group, version, _ in wanted}
        listed = {group: api.find(f"/apis/{group[0]}/{group[1]}") or {"resources": []} for group in groups}
        return wanted <= {(*group, each["name"]) for group, found in listed.items() for each in found["resources"]}

    def _last_words(self, component: str) -> str:
        try:
            lines = (self.logs / f"{component}.log").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it left no log")

    def _write_kubeconfig(self) -> None:
        source = self.folder / "kubeconfig.yaml"
        command = [
            str(self.toolchain.path("kubectl")),
            f"--kubeconfig={source}",
            "config",
            "view",
            "--raw",
            "--flatten",
        ]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        partial = self.state.kubeconfig.with_name("kubeconfig.partial")
        partial.touch(mode=0o600)
        partial.write_text(text)
        partial.replace(self.state.kubeconfig)

    def credentials(self, user: str, group: str, host: str) -> str:
        """A kubeconfig with a certificate of `user` in `group`, for the API server under the name `host`."""
        return self._kwokctl("get", "kubeconfig", f"--user={user}", f"--group={group}", f"--host={host}")

    def _kwokctl(self, *arguments: str) -> str:
        command = [str(self.toolchain.path("kwokctl")), f"--name={NAME}", *arguments]
        # By way of its home: it would take a KWOK_WORKDIR with a space in it for a list.
        environment = {**processes.environment(self.state.root), "HOME": str(self.state.kwok.parent)}
        environment.pop("KWOK_WORKDIR", None)
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise Failure(f"kwokctl {' '.join(arguments)} ended with {ended.returncode}:\n{ended.stderr[-2000:]}")
        return ended.stdout


GATEWAY_KINDS = ("gatewayclasses", "gateways", "httproutes", "referencegrants")


def gateway_api() -> Path:
    """The folder of the Gateway API's CRDs that GKE's own Gateway controller goes by."""
    version = pinned("gateway-api", "sigs.k8s.io/gateway-api")
    folder = CACHE / "manifests" / f"gateway-api-{version}"
    with locked(f"{folder}.lock", lambda: say("Waiting for another run that fetches the Gateway API.")):
        if not folder.exists():
            module = building.module_folder(SOURCES / "gateway-api", "sigs.k8s.io/gateway-api")
            with made_whole(folder) as partial:
                for kind in GATEWAY_KINDS:
                    name = f"gateway.networking.k8s.io_{kind}.yaml"
                    shutil.copyfile(module / "config" / "crd" / "standard" / name, partial / name)
    return folder
