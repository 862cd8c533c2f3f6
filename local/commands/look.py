"""status, logs, kubeconfig and env: what is up, and how to look at it oneself."""

import argparse
import contextlib
import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from local import toolchain
from local.api import Api, ApiError
from local.console import Failure, out
from local.control_plane import ControlPlane
from local.node import config
from local.paths import State
from local.stacks import STACK, check_settings
from local.status import Check, Status, of_cluster, of_local
from local.toolchain import Toolchain


def status(options: argparse.Namespace) -> int:
    found = _of_stack(options) if options.stack != STACK or options.config_file else _of_checkout(options.kubeconfig)
    if options.json:
        print(json.dumps(found.as_json(), indent=2))
    else:
        print_status(found)
        way_out = (
            ""
            if options.stack != STACK or options.config_file
            else " `make logs` tells more; `make up` repairs what it can."
        )
        out.print("\nAll is well." if found.well else f"\nNot all is well.{way_out}")
    return 0 if found.well else 1


def _of_checkout(kubeconfig: Path | None = None) -> Status:
    """The local stack's deployment, or just the platform behind `kubeconfig`."""
    if kubeconfig:
        return of_cluster(Api(kubeconfig))
    state = State.of_checkout()
    if not state.kubeconfig.exists():
        return Status([Check("deployment", False, "nothing is up here; start it with: make up")])
    return of_local(state, ControlPlane(state, Toolchain({})))


def _of_stack(options: argparse.Namespace) -> Status:
    """The platform on the cluster that a stack file is for: the one that it names, or the stand-in's."""
    from local import status_gke

    stack = check_settings(options.config_file, options.stack, on_real_cluster=options.kubeconfig is not None)
    if stack.target == "local":
        return _of_checkout(options.kubeconfig)
    if stack.fleet:
        return of_fleet(options.stack, stack.fleet)
    kubeconfig = Path(stack.kubeconfig).expanduser() if stack.kubeconfig else None
    if stack.gke:
        kubeconfig = options.kubeconfig or State.of_checkout(options.stack).kubeconfig
        if not kubeconfig.exists():
            way = f"start the stand-in with: make up STACK={options.stack}; or name a real cluster's: --kubeconfig FILE"
            return Status([Check("deployment", False, f"nothing is up here; {way}")])
    try:
        api = Api(kubeconfig, stack.context)
        return status_gke.of_gke(api, stack.gke) if stack.gke else of_cluster(api)
    except ApiError as error:
        return Status([Check("kubeconfig", False, str(error))])


def of_fleet(name: str, fleet: Any) -> Status:
    """The stand-ins for the clusters that a fleet's stack joins."""
    from local import status_gke

    kubeconfigs = {member: state.kubeconfig for member, state in members(fleet).items()}
    if not any(each.exists() for each in kubeconfigs.values()):
        way = f"start the stand-ins of {', '.join(kubeconfigs)}, then: make up STACK={name}"
        return Status([Check("deployment", False, f"no member is up here; {way}")])
    return status_gke.of_fleet(fleet, kubeconfigs)


def members(fleet: Any) -> dict[str, State]:
    """The states of the stacks whose clusters a fleet's stack joins."""
    return {name: State.of_checkout(name) for name in fleet.members}


def print_status(found: Status) -> None:
    width = max(len(check.subject) for check in found.checks)
    for check in found.checks:
        out.print(f"  {'✓' if check.well else '✗'} {check.subject.ljust(width)}  {check.detail}", markup=False)


def logs(options: argparse.Namespace) -> int:
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


def kubeconfig(_: argparse.Namespace) -> int:
    print(State.of_checkout().kubeconfig)
    return 0


def env(_: argparse.Namespace) -> int:
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
