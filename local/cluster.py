"""The cluster that a deployment is on, and what it needs: brought up by commands, tests and benchmarks alike."""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

from local import toolchain
from local.bootstrap import locked
from local.console import say, step
from local.control_plane import ControlPlane
from local.node import lifecycle
from local.nodes import Nodes, Simulated
from local.paths import CACHE, State
from local.toolchain import Toolchain


def get_ready(state: State, node: Nodes, stack: Any) -> Toolchain:
    """Everything that `up` needs and does not make itself: the machine looked at, tools and images fetched."""
    if lifecycle.keeper(state) is None:
        node.check(state)
    tools = toolchain.ensure(node.tools)
    node.prepare(tools, stack)
    return tools


def bring_up_cluster(state: State, tools: Toolchain, node: Nodes | None = None) -> ControlPlane:
    """The embedded control plane, as `up` leaves it before Pulumi's turn."""
    node = node or Simulated()
    control_plane = start_cluster(state, tools, node)
    control_plane.dress()
    await_node(state, node)
    return control_plane


def start_cluster(state: State, tools: Toolchain, node: Nodes) -> ControlPlane:
    """The embedded control plane and what runs its workloads, started where they do not run."""
    control_plane = ControlPlane(state, tools, node.design(state))
    with step("control plane") as progress:
        control_plane.ensure(progress)
        node.start(state, control_plane)
    return control_plane


def await_node(state: State, node: Nodes) -> None:
    if not isinstance(node, Simulated):
        with step("node") as progress:
            node.wait(state, progress)


@contextlib.contextmanager
def alone(state: State) -> Iterator[State]:
    """One command at a time changes a deployment; the next one waits."""
    name = hashlib.sha256(str(state.root).encode()).hexdigest()[:16]
    with locked(f"{CACHE}/locks/{name}", lambda: say("Waiting for another command on this deployment to end.")):
        yield state
