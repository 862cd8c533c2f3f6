"""Runs on the host what a simulated node only pretends to run: the controller and the router.

kwok's nodes run no containers. A Deployment whose image is one that the toolchain has a binary for
is therefore run here as a host process, one for each Deployment, with the arguments that it declares
and as the service account that it names, with the Secrets that it mounts, so that what the stack
declares is what is tried, its RBAC included. What differs is said in OVERRIDES. A process that dies is started again.
"""

import base64
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from local import processes
from local.api import EXTENSIONS, SANDBOXES, Api, ApiError, Json
from local.paths import State

INTERVAL = 0.3
"""Seconds between two looks at the Deployments."""

SETTLED = 30.0
"""Seconds after which a process counts as well, and its next death is restarted without a pause."""

LOG_LIMIT = 50 << 20
"""Bytes after which a log is put aside when its process starts again."""

BINARIES = {
    "agent-sandbox-controller": "agent-sandbox-controller",
    "sandbox-router-go": "sandbox-router",
}
"""Which tool stands in for an image, by the last part of the image's repository."""

OVERRIDES = {
    "agent-sandbox-controller": [
        "--leader-elect=false",  # one process stands for all replicas, and a lease would delay its restart
        "--metrics-bind-address=127.0.0.1:{metrics}",
        "--health-probe-bind-address=127.0.0.1:{health}",
    ],
    "sandbox-router": [
        "--http-bind-address=127.0.0.1:{http}",
        "--https-bind-address=127.0.0.1:{https}",
        "--metrics-bind-address=127.0.0.1:{metrics}",
        "--health-probe-bind-address=127.0.0.1:{health}",
    ],
}
"""Arguments put after the declared ones, which they therefore replace: loopback, on free ports."""

OPTIONAL = ("--http-bind-address=", "--https-bind-address=")
"""Listeners that a Deployment may do without; one that it does not declare, or declares empty, stays closed."""


@dataclass(frozen=True)
class Workload:
    """What a Deployment asks to be run."""

    namespace: str
    name: str
    binary: str
    arguments: tuple[str, ...]
    service_account: str
    secrets: tuple[tuple[str, str], ...] = ()
    """The folders that Secrets are mounted at, and the Secrets' names."""


@dataclass
class Run:
    """A workload's host process."""

    workload: Workload
    ports: dict[str, int]
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    restarts: int = -1
    next_start: float = 0.0


def workloads(deployments: list[Json]) -> dict[str, Workload]:
    """The Deployments that have a binary here and want at least one replica, by namespace/name."""
    found = {}
    for deployment in deployments:
        meta, pod = deployment["metadata"], deployment["spec"]["template"]["spec"]
        container = pod["containers"][0]
        repository = container["image"].split("@")[0].rpartition("/")[2].partition(":")[0]
        if repository in BINARIES and deployment["spec"].get("replicas", 1) > 0:
            found[f"{meta['namespace']}/{meta['name']}"] = Workload(
                meta["namespace"],
                meta["name"],
                BINARIES[repository],
                tuple(container.get("args", ())),
                pod.get("serviceAccountName", "default"),
                _mounted_secrets(pod, container),
            )
    return found


def _mounted_secrets(pod: Json, container: Json) -> tuple[tuple[str, str], ...]:
    names = {each["name"]: each["secret"]["secretName"] for each in pod.get("volumes", ()) if "secret" in each}
    return tuple(
        (each["mountPath"], names[each["name"]]) for each in container.get("volumeMounts", ()) if each["name"] in names
    )


def overrides(workload: Workload, ports: dict[str, int]) -> list[str]:
    """The arguments that bring the workload's listeners to loopback."""
    declared = {f"{flag}=": value for flag, _, value in (text.partition("=") for text in workload.arguments)}
    made = [text.format(**ports) for text in OVERRIDES[workload.binary]]
    return [text for text in made if not text.startswith(OPTIONAL) or declared.get(text[: text.index("=") + 1])]


def addresses(workload: Workload, ports: dict[str, int]) -> list[str]:
    """The URLs at which the workload takes requests."""
    listeners = [text.partition("=") for text in overrides(workload, ports) if text.startswith(OPTIONAL)]
    return [f"{flag.removeprefix('--').partition('-')[0]}://{address}" for flag, _, address in listeners]


class Supervisor:
    """The loop that keeps the host processes as the Deployments want them."""

    def __init__(self, state: State, binaries: dict[str, str]) -> None:
        self.state = state
        self.binaries = binaries
        self.api = Api(state.kubeconfig)
        self.runs: dict[str, Run] = {}
        self.stopping = False

    def loop(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        while not self.stopping and self.state.kubeconfig.exists():
            with contextlib.suppress(ApiError):  # gone for a moment: what runs goes on
                self.reconcile(workloads(self.api.items("/apis/apps/v1/deployments")))
            time.sleep(INTERVAL)
        for key in list(self.runs):
            self._end(key)

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def reconcile(self, wanted: dict[str, Workload]) -> None:
        """Start, restart and end host processes until they are the `wanted` ones."""
        for key in list(self.runs):
            if wanted.get(key) != self.runs[key].workload:
                self._end(key)
        for key, workload in wanted.items():
            run = self.runs.setdefault(
                key, Run(workload, {name: free_port() for name in ("http", "https", "metrics", "health")})
            )
            if run.process is None or run.process.poll() is not None:
                self._start(run)
        self._report()

    def _start(self, run: Run) -> None:
        now = time.monotonic()
        if run.process is not None:
            died_young = now - run.started < SETTLED
            run.process = None
            run.next_start = now + (min(10.0, 0.5 * 2**run.restarts) if died_young and run.restarts > 0 else 0)
        if now < run.next_start or not self._api_is_served(run.workload):
            return
        folders = self._mount(run.workload)
        if folders is None:
            return
        kubeconfig = self._kubeconfig_of(run.workload)
        command = [
            self.binaries[run.workload.binary],
            *(_moved(text, folders) for text in run.workload.arguments),
            *overrides(run.workload, run.ports),
            f"--kubeconfig={kubeconfig}",
        ]
        with self._log(run.workload) as log:
            log.write(f"\n--- {time.strftime('%FT%TZ', time.gmtime())} {' '.join(command)}\n".encode())
            log.flush()
            run.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        run.started = now
        run.restarts += 1

    def _api_is_served(self, workload: Workload) -> bool:
        """The controller ends at once if its kinds are not served yet."""
        if workload.binary != "agent-sandbox-controller":
            return True
        groups = [SANDBOXES, EXTENSIONS] if "--extensions" in workload.arguments else [SANDBOXES]
        return all(self.api.find(group) is not None for group in groups)

    def _mount(self, workload: Workload) -> dict[str, str] | None:
        """Write the workload's Secrets to files; returns where for each mount, or None while one is missing."""
        folders = {}
        for mount, name in workload.secrets:
            secret = self.api.find(f"/api/v1/namespaces/{workload.namespace}/secrets/{name}")
            if secret is None:
                return None  # a pod would wait for it, too
            folder = (
                self.state.root / "run" / f"{workload.namespace}-{workload.name}" / mount.strip("/").replace("/", "-")
            )
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for key, value in secret.get("data", {}).items():
                (folder / key).write_bytes(base64.b64decode(value))
            folders[mount] = str(folder)
        return folders

    def _kubeconfig_of(self, workload: Workload) -> Path:
        """The administrator's kubeconfig, acting as the workload's service account and its groups."""
        config: dict[str, Any] = yaml.safe_load(self.state.kubeconfig.read_text())
        account = f"system:serviceaccount:{workload.namespace}:{workload.service_account}"
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{workload.namespace}", "system:authenticated"]
        for user in config["users"]:
            user["user"] |= {"as": account, "as-groups": groups}
        file = self.state.root / "run" / f"{workload.namespace}-{workload.name}.kubeconfig"
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(json.dumps(config))
        return file

    def _log(self, workload: Workload) -> IO[bytes]:
        file = self.state.logs / f"{workload.binary}.log"
        file.parent.mkdir(exist_ok=True)
        if file.exists() and file.stat().st_size > LOG_LIMIT:
            file.replace(file.with_suffix(".log.1"))
        return file.open("ab")

    def _end(self, key: str) -> None:
        process = self.runs.pop(key).process
        if process is not None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _report(self) -> None:
        """Write what runs, for `status`; only when it changed."""
        entries = {
            key: {
                "binary": run.workload.binary,
                "pid": run.process.pid if run.process else None,
                "ports": run.ports,
                "addresses": addresses(run.workload, run.ports),
                "restarts": max(0, run.restarts),
            }
            for key, run in self.runs.items()
        }
        text = json.dumps(entries, indent=2)
        file = report_file(self.state)
        if not file.exists() or file.read_text() != text:
            partial = file.with_suffix(".partial")
            partial.write_text(text)
            partial.replace(file)


def _moved(argument: str, folders: dict[str, str]) -> str:
    """An argument with the path of a mounted file in it, as that file lies here."""
    flag, separator, value = argument.partition("=")
    for mount, folder in folders.items():
        if value.startswith(f"{mount}/"):
            return f"{flag}{separator}{folder}{value.removeprefix(mount)}"
    return argument


def report_file(state: State) -> Path:
    return state.root / "host-processes.json"


def reported(state: State) -> dict[str, Json]:
    """The host processes that the supervisor last wrote down, by namespace/name of their Deployment."""
    try:
        entries: dict[str, Json] = json.loads(report_file(state).read_text())
    except FileNotFoundError:
        return {}
    return entries


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ensure(state: State, binaries: dict[str, Path]) -> None:
    """Start the supervisor if it does not run, ending what an earlier one may have left."""
    ours = processes.belonging_to(state.root)
    if any("local.supervisor" in processes.command(process) for process in ours):
        return
    paths = {str(path) for path in binaries.values()}
    processes.end(process for process in ours if next(iter(processes.command(process)), "") in paths)
    state.logs.mkdir(parents=True, exist_ok=True)
    programs = json.dumps({name: str(path) for name, path in binaries.items()})
    processes.start("local.supervisor", state.root, state.logs / "supervisor.log", programs)


if __name__ == "__main__":
    Supervisor(State(Path(sys.argv[1])), json.loads(sys.argv[2])).loop()
