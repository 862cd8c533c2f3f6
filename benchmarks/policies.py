"""The policy pack: how long it takes over files, against Checkov on the same file, and what it costs in the engine.

    $(python3 local/bootstrap.py) -m benchmarks.policies            # files; installs Checkov into a folder of its own
    $(python3 local/bootstrap.py) -m benchmarks.policies --engine   # and the engine, on a control plane of its own

Figures are ratios of runs that take turns on one machine, so that a slow moment hits both. Times are the CPU's where
nothing waits (files), and the clock's where processes wait for each other (the engine).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import automation

from local import processes, toolchain
from local.cluster import bring_up_cluster
from local.engine import POLICIES, environment
from local.paths import CHECKOUT, State

CHECKOV = "checkov==3.3.30"
SMALL, LARGE = 500, 5_000
core: Any = kubernetes.apps.v1

MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{number}
  namespace: shop
  labels: {{app: web}}
spec:
  replicas: 2
  selector:
    matchLabels: {{app: web}}
  template:
    metadata:
      labels: {{app: web}}
    spec:
      containers:
        - name: web
          image: nginx:latest
          ports:
            - containerPort: 80
          env:
            - name: LOG_LEVEL
              value: info
          resources:
            requests:
              cpu: 100m
              memory: 64Mi
          readinessProbe:
            httpGet:
              path: /
              port: 80
          volumeMounts:
            - name: data
              mountPath: /data
      volumes:
        - name: data
          hostPath:
            path: /var
"""


class Run:
    """A command that ran to its end: CPU and wall seconds, and the most memory that it held, in MiB."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        started = time.monotonic()
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(command, cwd=CHECKOUT, stdout=output, stderr=subprocess.DEVNULL)
            _, self.status, usage = os.wait4(process.pid, 0)
        self.wall = time.monotonic() - started
        self.cpu = usage.ru_utime + usage.ru_stime
        self.memory = usage.ru_maxrss / 1024


def write(folder: Path, count: int) -> Path:
    file = folder / f"{count}.yaml"
    file.write_text("---\n".join(MANIFEST.format(number=number) for number in range(count)))
    return file


def checkov(folder: Path) -> Path:
    """Checkov's program, installed into a folder of its own."""
    environment_folder = folder / "checkov"
    venv.create(environment_folder, with_pip=True)
    subprocess.run([environment_folder / "bin" / "pip", "install", "--quiet", CHECKOV], check=True)
    return environment_folder / "bin" / "checkov"


def spread(figures: Sequence[float], unit: str = "") -> str:
    return f"{statistics.median(figures):.2f}{unit} ({min(figures):.2f} to {max(figures):.2f})"


def files(folder: Path, rounds: int, program: Path | None) -> None:
    small, large = write(folder, SMALL), write(folder, LARGE)
    ours = [sys.executable, "-m", "policies", "check", "--format", "json"]
    theirs = [str(program or checkov(folder)), "--framework", "kubernetes", "--output", "json", "--quiet"]
    theirs += ["--compact", "--skip-download", "--file", str(small)]
    ratios, growths, memories, times = [], [], [], []
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        first, other = Run([*ours, str(small)], folder), Run(theirs, folder)
        second = Run([*ours, str(large)], folder)
        ratios.append(other.cpu / first.cpu)
        growths.append(second.cpu / first.cpu)
        memories.append(second.memory)
        times.append(first.cpu)
    print("| what | figure | bar |\n|---|---|---|")
    print(f"| {SMALL} Deployments, CPU time | {spread(times, ' s')} | |")
    print(f"| Checkov's CPU time on the same file, against ours | {spread(ratios, ' times')} | at least 10 |")
    print(f"| {LARGE} Deployments against {SMALL} | {spread(growths, ' times')} | at most 11 |")
    print(f"| resident at most with {LARGE} | {spread(memories, ' MiB')} | at most 400 |")


def workloads(kubeconfig: str, count: int) -> Callable[[], None]:
    def program() -> None:
        provider = kubernetes.Provider("cluster", kubeconfig=kubeconfig)
        container = {
            "name": "web",
            "image": "registry.example/web:v1",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        for number in range(count):
            labels = {"app": f"web-{number}"}
            core.Deployment(
                f"web-{number}",
                metadata={"name": f"web-{number}", "namespace": "default"},
                spec={
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"securityContext": security, "containers": [container]},
                    },
                },
                opts=pulumi.ResourceOptions(provider=provider),
            )

    return program


def engine(folder: Path, rounds: int) -> None:
    state = State(folder / "state")
    tools = toolchain.ensure()
    ratios: list[float] = []
    seconds: list[float] = []
    try:
        bring_up_cluster(state, tools)
        backend = folder / "backend"
        backend.mkdir()
        variables = {**environment(state, tools), "PULUMI_BACKEND_URL": f"file://{backend}"}
        stack = automation.create_stack(
            "benchmark",
            project_name="benchmark",
            program=workloads(str(state.kubeconfig), SMALL),
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(folder),
                project_settings=automation.ProjectSettings(
                    name="benchmark", runtime="python", backend=automation.ProjectBackend(f"file://{backend}")
                ),
                env_vars=variables,
                pulumi_home=str(state.pulumi_home),
                pulumi_command=automation.PulumiCommand(str(state.root)),
            ),
        )
        stack.preview(color="never")  # warms up what both use
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            taken = {}
            for packs in ([], [str(POLICIES)]) if number % 2 else ([str(POLICIES)], []):
                started = time.monotonic()
                stack.preview(color="never", policy_packs=packs)
                taken[bool(packs)] = time.monotonic() - started
            ratios.append(taken[True] / taken[False])
            seconds.append(taken[False])
    finally:
        processes.kill_all(state.root)
    print(f"| preview of {SMALL} Deployments without the pack | {spread(seconds, ' s')} | |")
    print(f"| with the pack against without | {spread(ratios, ' times')} | at most 1.3 |")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the policy pack.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", action="store_true", help="measure the engine's preview as well")
    parser.add_argument("--engine-only", action="store_true")
    parser.add_argument("--checkov", type=Path, metavar="PROGRAM", help="one that is installed already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(json.dumps({"cores": os.cpu_count(), "rounds": options.rounds}), file=sys.stderr)
        if not options.engine_only:
            files(folder, options.rounds, options.checkov)
        if options.engine or options.engine_only:
            engine(folder, options.rounds)


if __name__ == "__main__":
    main()
