"""up, preview, destroy and down."""

import argparse
import shutil
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local import nodes, processes, standin_gcp, status, supervisor, toolchain
from local.cluster import alone, await_node, bring_up_cluster, get_ready, start_cluster
from local.commands import look
from local.console import Failure, duration, out, step
from local.control_plane import ControlPlane
from local.node import hello, lifecycle
from local.nodes import Nodes
from local.paths import State
from local.stacks import check_settings, is_on_google, stack_file
from local.toolchain import Toolchain


def up(options: argparse.Namespace) -> int:
    from local.engine import Engine  # Pulumi's SDK takes a second to load, and most commands do without

    started = time.monotonic()
    state = State.of_checkout(options.stack)
    stack = check_settings(options.config_file, options.stack)
    on_standin = is_on_google(stack)
    if stack.fleet:
        return _join(options, stack.fleet)
    with alone(state):
        node = nodes.of(state, options.node)
        tools = get_ready(state, node, stack)
        with ThreadPoolExecutor() as pool:  # what can overlap does: half a minute is all that this may take
            opening = pool.submit(Engine, options.stack, state, tools, options.config_file, on_standin)
            pool.submit(_read_manifest, stack)
            control_plane = start_cluster(state, tools, node)
            dressing = pool.submit(control_plane.dress)
            with step("Pulumi engine") as progress:
                engine = opening.result()
                if engine.recover(progress):
                    progress.outcome = "recovered from an interrupted update"
            planned = _plan(engine, options)
            dressing.result()
        await_node(state, node)
        _update(engine, planned, options)
        _report(state, tools, node, time.monotonic() - started)
    return 0


def _join(options: argparse.Namespace, fleet: Any) -> int:
    """A fleet's stack, over the clusters that stand in for its members'."""
    from local.engine import Engine

    if down := [name for name, state in look.members(fleet).items() if not state.kubeconfig.exists()]:
        ways = ", ".join(f"make up STACK={name}" for name in down)
        raise Failure(
            f"A fleet joins clusters that are there, and these stacks are not up: {', '.join(down)}.\n  {ways}"
        )
    with alone(State.of_checkout(options.stack)) as state:
        engine = Engine(options.stack, state, toolchain.ensure(), options.config_file, standin=True)
        with step("Pulumi engine") as progress:
            engine.recover(progress)
        _update(engine, _plan(engine, options), options)
    look.print_status(look.of_fleet(options.stack, fleet))
    return 0


def preview(options: argparse.Namespace) -> int:
    from local.engine import Engine

    state = State.of_checkout(options.stack)
    stack = check_settings(options.config_file, options.stack)
    on_standin = is_on_google(stack)
    with alone(state):
        node = nodes.of(state, options.node)
        tools = get_ready(state, node, stack)
        if not on_standin or state.kubeconfig.exists():  # what GKE would yet have to make is not needed for a preview
            bring_up_cluster(state, tools, node)
        with step("preview and policies") as progress:
            planned = Engine(options.stack, state, tools, options.config_file, on_standin).preview(progress)
    for line in planned.changed:
        out.print(f"  {line}")
    out.print(_summary(planned.changes, "to "))
    if on_standin:
        out.print(f"\n{standin_gcp.NOTICE}")
    return 0


def destroy(options: argparse.Namespace) -> int:
    from local.engine import Engine

    state = State.of_checkout(options.stack)
    joins = bool(standin_gcp.members_of(stack_file(options.config_file, options.stack)))
    if not (state.backend if joins else state.kubeconfig).exists():
        out.print("Nothing is up; there is nothing to destroy.")
        return 0
    stack = check_settings(options.config_file, options.stack)
    on_standin = is_on_google(stack)
    with alone(state):
        node = nodes.of(state)
        tools = get_ready(state, node, stack)
        if not joins:
            bring_up_cluster(state, tools, node)
        engine = Engine(options.stack, state, tools, options.config_file, on_standin)
        with step("destroy") as progress:
            engine.recover(progress)
            progress.outcome = _summary(engine.destroy(progress).changes)
    return 0


def down(options: argparse.Namespace) -> int:
    state = State.of_checkout(options.stack)
    with alone(state):
        if not state.root.exists() and not processes.belonging_to(state.root):
            out.print("Nothing is up; there is nothing to do.")
            return 0
        lifecycle.require_rights(state)
        with step("down") as progress:
            killed = processes.kill_all(state.root)  # nothing that they could still write is kept
            lifecycle.clean_up(state)
            shutil.rmtree(state.root, ignore_errors=True)
            progress.outcome = f"{killed} processes ended, {state.root} deleted"
    return 0


def _read_manifest(stack: Any) -> None:
    """Parse the controller's manifest before the program, which would have the engine wait for it."""
    from components import _upstream

    if "manifest" in stack.controller:
        _upstream.load(stack.controller["manifest"], stack.controller["sha256"])


def _plan(engine: Any, options: argparse.Namespace) -> Any:
    """What an update would change, judged by the policies."""
    with step("preview and policies") as progress:
        planned = engine.preview(progress, options.refresh)
        progress.outcome = _summary(planned.changes, "to ")
    return planned


def _update(engine: Any, planned: Any, options: argparse.Namespace) -> None:
    """The update that was `planned`, if it changes anything."""
    if planned.changed:
        with step("update") as progress:
            done = engine.up(progress, len(planned.changed), options.refresh)
            progress.outcome = _summary(done.changes)


def _summary(changes: Mapping[str, int], prefix: str = "") -> str:
    counted = [f"{number} {prefix}{operation}" for operation, number in changes.items() if operation != "same"]
    return ", ".join(counted) or f"nothing to change, {changes.get('same', 0)} resources as they were"


def _report(state: State, tools: Toolchain, node: Nodes, seconds: float) -> None:
    found = status.of_local(state, ControlPlane(state, tools))
    version = tools.found["kube-apiserver"].version
    out.print(f"\nAgent Sandbox is up on an embedded Kubernetes {version} control plane ({duration(seconds)}).")
    look.print_status(found)
    router = next((each for each in supervisor.reported(state).values() if each["binary"] == "sandbox-router"), None)
    addresses = [hello.router_url(state)] if lifecycle.is_real(state) else router["addresses"] if router else []
    for address in addresses:
        out.print(f"  router address  {address}")
    out.print(f"  kubeconfig      {state.kubeconfig}")
    out.print(
        f"\n{node.described} Next:\n"
        + ("  make hello               run a command in a sandbox\n" if lifecycle.is_real(state) else "")
        + "  make claim               take a sandbox out of the warm pool\n"
        "  make status              is everything well?\n"
        '  eval "$(make -s env)"    this stack\'s kubectl and pulumi in your shell\n'
        "  make up                  again, after a change in Pulumi.local.yaml\n"
        "  make down                end and delete all of it"
    )
