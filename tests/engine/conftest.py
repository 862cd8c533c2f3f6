"""Deployments for the tests: each with a state folder, and so a control plane, of its own.

What a user types is run as a user runs it, in a process of its own. Nothing here touches the
checkout's own deployment, and every process is gone when the tests are.
"""

import contextlib
import copy
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from local import processes
from local.api import EXTENSIONS, Api, Json
from local.paths import CHECKOUT, State

NAMESPACE = "sandboxes"
STACK_FILE: Json = yaml.safe_load((CHECKOUT / "Pulumi.local.yaml").read_text())


class Deployment:
    """A deployment of the stack, driven by its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = State(folder / "state")
        self.environment = {**os.environ, "AGENT_SANDBOX_STATE": str(self.state.root)}

    def run(self, *arguments: str, expect: int | None = 0) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end; fail the test if it does not exit with `expect`."""
        command = [sys.executable, "-m", "local", *arguments]
        ended = subprocess.run(
            command, cwd=CHECKOUT, env=self.environment, capture_output=True, text=True, check=False, timeout=400
        )
        if expect is not None and ended.returncode != expect:
            pytest.fail(f"{' '.join(arguments)} exited with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
        return ended

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command, to be disturbed while it runs."""
        command = [sys.executable, "-m", "local", *arguments]
        return subprocess.Popen(
            command, cwd=CHECKOUT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def with_config(self, **changes: Any) -> list[str]:
        """The option that makes a command use the local stack file with `changes`."""
        content = copy.deepcopy(STACK_FILE)
        for key, value in changes.items():
            content["config"][f"agent-sandbox:{key}"] = value
        file = self.folder / "Pulumi.changed.yaml"
        file.write_text(yaml.safe_dump(content))
        return ["--config-file", str(file)]

    @property
    def api(self) -> Api:
        return Api(self.state.kubeconfig)

    def pool(self) -> Json:
        return self.api.get(f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxwarmpools/python")

    def process(self, name: str) -> psutil.Process:
        """The deployment's one process whose program is `name`."""
        found = self._processes({name})
        assert len(found) == 1, f"{len(found)} processes of {name}"
        return found[0]

    def kill(self, *names: str) -> None:
        """SIGKILL for the processes of these programs, or for all of the deployment's; some end before their turn."""
        for process in self._processes(set(names)) if names else processes.belonging_to(self.state.root):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _processes(self, names: set[str]) -> list[psutil.Process]:
        ours = processes.belonging_to(self.state.root)
        return [each for each in ours if Path(next(iter(processes.command(each)), "")).name in names]


def eventually(holds: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.1)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment that is not up."""
    made = Deployment(tmp_path)
    yield made
    made.run("down", expect=None)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment that is up, shared by the tests that leave it as they found it."""
    made = Deployment(tmp_path_factory.mktemp("platform"))
    made.run("up")
    yield made
    made.run("down", expect=None)
