"""`make hello`: what upstream's guide ends with, and what the sandbox says of its own isolation.

The Python client takes a sandbox out of the warm pool, runs a command in it through the router, and then
asks it from inside: which kernel, which capabilities, who it is, and what it reaches.
"""

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import kubernetes

from local.node import config
from local.node.keeper import port_file
from local.paths import State

GREETING = "Hello from Agent Sandbox"
METADATA = "169.254.169.254"


@dataclass(frozen=True)
class Answer:
    """What came back from a sandbox."""

    question: str
    said: str
    well: bool


def router_url(state: State) -> str:
    """The address on loopback that leads to a router pod."""
    return f"http://127.0.0.1:{json.loads(port_file(state).read_text())}"


@contextmanager
def client(state: State) -> Iterator[Any]:
    """Upstream's client, which goes through the router; its sandboxes are given back at the end."""
    from k8s_agent_sandbox.models import SandboxDirectConnectionConfig  # noqa: PLC0415 - takes a second to load
    from k8s_agent_sandbox.sandbox_client import SandboxClient  # noqa: PLC0415

    new_client: Any = kubernetes.config.new_client_from_config
    made: Any = SandboxClient(
        connection_config=SandboxDirectConnectionConfig(api_url=router_url(state), server_port=8888),
        api_client=new_client(config_file=str(state.kubeconfig)),
    )
    try:
        yield made
    finally:
        made.delete_all()


def connecting(host: str, port: int) -> str:
    """A command for inside a sandbox: connect to `host`, say how it went, and fail if that led nowhere."""
    code = (
        "import socket, sys\n"
        f"try: socket.create_connection(({host!r}, {port}), 3); print('connected')\n"
        "except OSError as error: print(error); sys.exit(1)"
    )
    return f"python3 -c {shlex.quote(code)}"


def shell(script: str) -> str:
    return f"sh -c {shlex.quote(script)}"


def ask(run: Callable[[str], Any], api_port: int) -> Iterator[Answer]:
    """Every question, put to a sandbox through `run`, which returns stdout and exit_code."""

    def answer(question: str, command: str, well: Callable[[str, int], bool]) -> Answer:
        got = run(command)
        said = (got.stdout or got.stderr).strip()
        return Answer(question, said, well(said, got.exit_code))

    nowhere: Callable[[str, int], bool] = lambda _, code: code != 0  # noqa: E731
    yield answer(f"echo '{GREETING}'", f"echo '{GREETING}'", lambda said, _: said == GREETING)
    yield answer("its kernel's log", shell("dmesg | head -n 1"), lambda said, _: "gVisor" in said)
    yield answer("its kernel's version", "cat /proc/version", lambda said, _: said.startswith("Linux version 4.4.0"))
    yield answer(
        "its capabilities",
        shell("grep ^Cap /proc/self/status | tr '\\t\\n' '  '"),
        lambda said, _: "CapEff" in said and not set("".join(said.split()[1::2])) - {"0"},
    )
    yield answer("its user", "id", lambda said, _: "uid=" in said and "uid=0" not in said)
    yield answer(
        "its service account's token",
        "ls /var/run/secrets/kubernetes.io/serviceaccount",
        nowhere,
    )
    yield answer("the metadata address", connecting(METADATA, 80), nowhere)
    yield answer("the API server in the cluster", connecting(config.API_ADDRESS, 443), nowhere)
    yield answer("the API server on this machine", connecting("127.0.0.1", api_port), nowhere)
    yield answer("the node's kubelet", connecting(config.NODE_ADDRESS, config.KUBELET_PORT), nowhere)
