"""What `python -m local` offers; the Makefile's targets are these commands."""

import argparse
import contextlib
import hashlib
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

from local import claims, nodes, processes, standin_gcp, status, supervisor, toolchain
from local.api import Api, ApiError
from local.bootstrap import locked
from local.console import Failure, duration, out, say, step
from local.control_plane import ControlPlane
from local.node import config, hello, lifecycle
from local.nodes import Nodes, Simulated
from local.paths import CACHE, CHECKOUT, State
from local.toolchain import Toolchain
from local.tools import all_tools

STACK = "local"


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit status."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except Failure as error:
        say(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted. What was done is kept; the same command goes on from there.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="The Agent Sandbox platform on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    up = command("up", _up, "Bring the local stack up on an embedded control plane.")
    up.add_argument("--config-file", type=Path, metavar="FILE", help="use FILE instead of Pulumi.local.yaml")
    up.add_argument("--refresh", action="store_true", help="look for changes made behind Pulumi's back first")
    preview = command("preview", _preview, "Show what `up` would change.")
    preview.add_argument("--config-file", type=Path, metavar="FILE", help="use FILE instead of Pulumi.local.yaml")
    for each in (up, preview):
        each.add_argument("--node", help="simulated, the default, or gvisor: a real node, on Linux as root")
    destroy = command("destroy", _destroy, "Delete the stack's resources; the control plane stays.")
    destroy.add_argument("--config-file", type=Path, metavar="FILE")
    down = command("down", _down, "End and delete everything that `up` made, but for the tools.")
    shown = command("status", _status, "Say whether the platform is well; exit 1 if not.")
    shown.add_argument("--stack", default=STACK, metavar="NAME", help="of the stack in Pulumi.NAME.yaml (local)")
    shown.add_argument("--config-file", type=Path, metavar="FILE", help="of the stack in FILE")
    shown.add_argument("--json", action="store_true", help="print it as JSON")
    shown.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="of a real cluster, as the stack's output has it"
    )
    for one in (up, preview, destroy, down):
        one.add_argument("--stack", default=STACK, help="a GKE stack, on a stand-in for Google Cloud (default: local)")
    taken = command("claim", _claim, "Take sandboxes out of a warm pool, and say how long it took.")
    taken.add_argument("--pool", help="the warm pool, where there are several")
    taken.add_argument(
        "--count", type=int, default=1, metavar="N", help="take N, one after the other, and give them back"
    )
    taken.add_argument("--keep", type=float, default=10, metavar="MINUTES", help="delete the claim after so long (10)")
    command("hello", _hello, "Run a command in a sandbox on a real node, and ask how isolated it is.")
    logs = command("logs", _logs, "Print the logs of everything that runs.")
    logs.add_argument("name", nargs="?", help="only this one: etcd, kube-apiserver, agent-sandbox-controller, ...")
    logs.add_argument("--lines", type=int, default=20, metavar="N", help="the last N lines of each (20)")
    logs.add_argument("--follow", action="store_true", help="go on printing what comes")
    command("kubeconfig", _kubeconfig, "Print the kubeconfig's path.")
    command("env", _env, "Print the environment for pulumi and kubectl, for `eval`.")
    doctor = command("doctor", _doctor, "List every tool: version, origin, path.")
    doctor.add_argument("--json", action="store_true", help="print it as JSON")
    tools = command("toolchain", _toolchain, "Get every tool that is missing.")
    for each in (doctor, tools):
        each.add_argument("--node", default="simulated", help="with those of this kind of node: simulated or gvisor")
    release = command("release", _release, "Show what an upstream release would change, and pin its checksum.")
    release.add_argument("version", help="the release, as in v1.0.2")
    release.add_argument(
        "--from", dest="place", metavar="PLACE", help="a folder, or a mirror of upstream's release page"
    )
    release.add_argument("--dry-run", action="store_true", help="only show")
    return parser


def _up(options: argparse.Namespace) -> int:
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


def _members(fleet: Any) -> dict[str, State]:
    """The states of the stacks whose clusters a fleet's stack joins."""
    return {name: State.of_checkout(name) for name in fleet.members}


def _join(options: argparse.Namespace, fleet: Any) -> int:
    """A fleet's stack, over the clusters that stand in for its members'."""
    from local.engine import Engine

    if down := [name for name, state in _members(fleet).items() if not state.kubeconfig.exists()]:
        ways = ", ".join(f"make up STACK={name}" for name in down)
        raise Failure(
            f"A fleet joins clusters that are there, and these stacks are not up: {', '.join(down)}.\n  {ways}"
        )
    with alone(State.of_checkout(options.stack)) as state:
        engine = Engine(options.stack, state, toolchain.ensure(), options.config_file, standin=True)
        with step("Pulumi engine") as progress:
            engine.recover(progress)
        _update(engine, _plan(engine, options), options)
    _print_status(_of_fleet(options.stack, fleet))
    return 0


def check_settings(config_file: Path | None, stack: str = STACK, on_real_cluster: bool = False) -> Any:
    """The settings in a stack file; a wrong one is refused before anything is built or started. Raises Failure.

    Of a stack on Google Cloud, which here means on the stand-in, it says so, unless it is looked at where it really is.
    """
    import settings

    file = config_file or CHECKOUT / f"Pulumi.{stack}.yaml"
    if not file.exists():
        known = sorted(each.name.split(".")[1] for each in CHECKOUT.glob("Pulumi.*.yaml"))
        raise Failure(f"There is no stack {stack} (there are: {', '.join(known)}).")
    try:
        read = settings.read(file)
    except settings.SettingsError as error:
        raise Failure(str(error)) from error
    if is_on_google(read) and not on_real_cluster:
        say(standin_gcp.NOTICE)
    return read


def is_on_google(stack: Any) -> bool:
    """Whether the settings are of a stack on Google Cloud, with a cluster of its own or joining others'."""
    return stack.gke is not None or stack.fleet is not None


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


def _summary(changes: Mapping[str, int], prefix: str = "") -> str:
    counted = [f"{number} {prefix}{operation}" for operation, number in changes.items() if operation != "same"]
    return ", ".join(counted) or f"nothing to change, {changes.get('same', 0)} resources as they were"


def _report(state: State, tools: Toolchain, node: Nodes, seconds: float) -> None:
    found = status.of_local(state, ControlPlane(state, tools))
    version = tools.found["kube-apiserver"].version
    out.print(f"\nAgent Sandbox is up on an embedded Kubernetes {version} control plane ({duration(seconds)}).")
    _print_status(found)
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


def _preview(options: argparse.Namespace) -> int:
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


def _destroy(options: argparse.Namespace) -> int:
    from local.engine import Engine

    state = State.of_checkout(options.stack)
    joins = bool(standin_gcp.members_of(options.config_file or CHECKOUT / f"Pulumi.{options.stack}.yaml"))
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


def _down(options: argparse.Namespace) -> int:
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


def _status(options: argparse.Namespace) -> int:
    found = _of_stack(options) if options.stack != STACK or options.config_file else _of_checkout(options.kubeconfig)
    if options.json:
        print(json.dumps(found.as_json(), indent=2))
    else:
        _print_status(found)
        way_out = (
            ""
            if options.stack != STACK or options.config_file
            else " `make logs` tells more; `make up` repairs what it can."
        )
        out.print("\nAll is well." if found.well else f"\nNot all is well.{way_out}")
    return 0 if found.well else 1


def _of_checkout(kubeconfig: Path | None = None) -> status.Status:
    """The local stack's deployment, or just the platform behind `kubeconfig`."""
    if kubeconfig:
        return status.of_cluster(Api(kubeconfig))
    state = State.of_checkout()
    if not state.kubeconfig.exists():
        return status.Status([status.Check("deployment", False, "nothing is up here; start it with: make up")])
    return status.of_local(state, ControlPlane(state, Toolchain({})))


def _of_fleet(name: str, fleet: Any) -> status.Status:
    """The stand-ins for the clusters that a fleet's stack joins."""
    from local import status_gke

    members = {member: state.kubeconfig for member, state in _members(fleet).items()}
    if not any(each.exists() for each in members.values()):
        way = f"start the stand-ins of {', '.join(members)}, then: make up STACK={name}"
        return status.Status([status.Check("deployment", False, f"no member is up here; {way}")])
    return status_gke.of_fleet(fleet, members)


def _of_stack(options: argparse.Namespace) -> status.Status:
    """The platform on the cluster that a stack file is for: the one that it names, or the stand-in's."""
    from local import status_gke

    file = options.config_file or _stack_file(options.stack)
    stack = check_settings(file, on_real_cluster=options.kubeconfig is not None)
    if stack.target == "local":
        return _of_checkout(options.kubeconfig)
    if stack.fleet:
        return _of_fleet(options.stack, stack.fleet)
    kubeconfig = Path(stack.kubeconfig).expanduser() if stack.kubeconfig else None
    if stack.gke:
        kubeconfig = options.kubeconfig or State.of_checkout(options.stack).kubeconfig
        if not kubeconfig.exists():
            way = f"start the stand-in with: make up STACK={options.stack}; or name a real cluster's: --kubeconfig FILE"
            return status.Status([status.Check("deployment", False, f"nothing is up here; {way}")])
    try:
        api = Api(kubeconfig, stack.context)
        return status_gke.of_gke(api, stack.gke) if stack.gke else status.of_cluster(api)
    except ApiError as error:
        return status.Status([status.Check("kubeconfig", False, str(error))])


def _stack_file(name: str) -> Path:
    file = CHECKOUT / f"Pulumi.{name}.yaml"
    if not file.exists():
        known = sorted(each.name.split(".")[1] for each in CHECKOUT.glob("Pulumi.*.yaml"))
        raise Failure(f"There is no stack file {file.name} (there are: {', '.join(known)}).")
    return file


def _print_status(found: status.Status) -> None:
    width = max(len(check.subject) for check in found.checks)
    for check in found.checks:
        out.print(f"  {'✓' if check.well else '✗'} {check.subject.ljust(width)}  {check.detail}", markup=False)


def _claim(options: argparse.Namespace) -> int:
    state = State.of_checkout()
    if not state.kubeconfig.exists():
        raise Failure("Nothing is up here. Start it with: make up")
    if options.count < 1 or options.keep <= 0:
        raise Failure("make claim: COUNT and MINUTES are numbers above 0.")
    api = Api(state.kubeconfig)
    namespace, pool = claims.pool_namespace(api, options.pool)
    taken: list[claims.Claimed] = []
    held: list[str] = []
    try:
        for number in range(options.count):
            if number and lifecycle.is_real(state):  # it has room for a few, and makes the next one in seconds
                claims.release(api, namespace, held.pop())
                claims.wait_until_full(api, namespace, pool)
            got = claims.claim(api, namespace, pool, timedelta(minutes=options.keep))
            taken.append(got)
            held.append(got.claim)
            how = "warm" if got.warm else "cold"
            out.print(f"  {got.claim}: sandbox {got.sandbox} on {got.node}, {how}, ready after {got.seconds:.3f} s")
    finally:
        if options.count > 1:
            for name in held:
                claims.release(api, namespace, name)
    if options.count > 1:
        _print_series(taken)
    else:
        out.print(
            f"It is deleted in {options.keep:g} minutes, or by:"
            f" kubectl delete sandboxclaim -n {namespace} {taken[0].claim}"
        )
    return 0


def _print_series(taken: Sequence[claims.Claimed]) -> None:
    seconds = [got.seconds for got in taken]
    warm = sum(got.warm for got in taken)
    out.print(
        f"time to Ready, {len(taken)} in a row: median {statistics.median(seconds):.3f} s, "
        f"least {min(seconds):.3f} s, most {max(seconds):.3f} s; {warm} of them warm"
    )


def _hello(_: argparse.Namespace) -> int:
    state = State.of_checkout()
    if nodes.recorded(state) != "gvisor":
        raise Failure(
            "There is no real node here, and a simulated one runs no commands.\n"
            "  On Linux, as root: make down, then make up NODE=gvisor."
        )
    api = Api(state.kubeconfig)
    namespace, pool = claims.pool_namespace(api, None)
    with hello.client(state) as client:
        started = time.monotonic()
        sandbox = client.create_sandbox(pool, namespace, sandbox_ready_timeout=claims.PATIENCE)
        out.print(f"A sandbox of {namespace}/{pool} is ready after {time.monotonic() - started:.3f} s.\n")
        answers = []
        for answer in hello.ask(sandbox.commands.run, config.NodeSettings.read(state).api_port):
            answers.append(answer)
            out.print(f"  {'✓' if answer.well else '✗'} {answer.question.ljust(34)}  {answer.said}", markup=False)
    if bad := [each.question for each in answers if not each.well]:
        raise Failure(f"Not as it should be: {', '.join(bad)}.\n  Run nothing here that you do not trust.")
    out.print("\nThe sandbox has a kernel of its own, no rights, no token, and no way to anything inside.")
    return 0


def _logs(options: argparse.Namespace) -> int:
    state = State.of_checkout()
    files = {
        file.stem: file
        for folder in (state.logs, ControlPlane(state, Toolchain({})).logs, config.folder(state) / "logs")
        for file in folder.glob("*.log")
    }
    for file in config.folder(state).glob("pods/agent-sandbox-system_*/*/*.log"):
        files[file.parent.parent.name.split("_")[1]] = file  # a pod's, named as the pod
    if not files:
        raise Failure("There are no logs: nothing is up here. Start it with: make up")
    if options.name and options.name not in files:
        raise Failure(f"There is no log {options.name}. There are: {', '.join(sorted(files))}.")
    chosen = [files[options.name]] if options.name else [files[name] for name in sorted(files)]
    follow = ["--follow"] if options.follow else []
    with contextlib.suppress(KeyboardInterrupt):
        return subprocess.run(["tail", f"--lines={options.lines}", *follow, "--", *chosen], check=False).returncode
    return 0


def _kubeconfig(_: argparse.Namespace) -> int:
    print(State.of_checkout().kubeconfig)
    return 0


def _env(_: argparse.Namespace) -> int:
    from local.engine import BIN, environment, has_language_host

    state = State.of_checkout()
    tools = toolchain.ensure()
    settings_of_engine = environment(state, tools)
    if not has_language_host(tools.path("pulumi")):
        settings_of_engine["PATH"] = f"{BIN}{os.pathsep}{settings_of_engine['PATH']}"
    shown = {name: value for name, value in settings_of_engine.items() if name.startswith("PULUMI_") or name == "PATH"}
    for name, value in {**shown, "KUBECONFIG": str(state.kubeconfig)}.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    wanted = [*all_tools(), *nodes.kind(options.node).tools]
    found = toolchain.look(tools=wanted)
    rows = [(tool, found.get(tool.name)) for tool in wanted]
    if options.json:
        entries = {
            tool.name: {"version": here.version, "origin": here.origin, "path": str(here.path)} if here else None
            for tool, here in rows
        }
        print(json.dumps(entries, indent=2))
    else:
        lines = [("tool", "version", "origin", "path")]
        for tool, here in rows:
            details = (here.version, here.origin, str(here.path)) if here else (tool.version, "missing", "-")
            lines.append((tool.name, *details))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        out.print(f"\nPython {sys.version.split()[0]} at {sys.executable}\nCache: {CACHE}")
    if len(found) < len(rows):
        say(f"Some are missing; `make toolchain{_asked(options.node)}` gets them.")
        return 1
    return 0


def _toolchain(options: argparse.Namespace) -> int:
    node = nodes.kind(options.node)
    node.check(State.of_checkout())
    tools = toolchain.ensure(node.tools)
    if not isinstance(node, Simulated):
        node.prepare(tools, check_settings(None))
    out.print(f"All {len(tools.found)} tools are there; `make doctor{_asked(options.node)}` lists them.")
    return 0


def _asked(node: str) -> str:
    return "" if node == Simulated.name else f" NODE={node}"


def _release(options: argparse.Namespace) -> int:
    import releases
    from local import release

    candidate = release.look(options.version, options.place or releases.RELEASE_PAGE)
    for line in release.changes(candidate):
        out.print(line, markup=False)
    if options.dry_run:
        out.print(f"\nNothing was pinned. Its sha256 is {candidate.sha256}")
        return 0
    out.print(f"\n{release.pin(candidate)}")
    out.print(f"A stack installs it with agent-sandbox:controller: {{release: {candidate.version}}}", markup=False)
    return 0
