"""Pulumi's engine, driven through the Automation API with the stack's program in this process.

An inline program needs no language host, so an engine that was built from source will do. The state
lies in the checkout's own file backend, and the policy pack is always attached: a preview judges
everything before an update touches anything.
"""

import contextlib
import json
import os
import runpy
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import yaml
from pulumi import automation

from local import processes, standin_gcp
from local.console import Failure, Step
from local.paths import CACHE, CHECKOUT, State
from local.toolchain import Toolchain

POLICIES = CHECKOUT / "policies"
BIN = CHECKOUT / "local" / "bin"
"""Stands in for what an engine that was built from source lacks."""


@dataclass
class Outcome:
    """What an operation of the engine did, or would do."""

    changes: Counter[str] = field(default_factory=Counter)
    """Resources by operation, those that stay the same included."""
    changed: list[str] = field(default_factory=list)
    """`<operation> <type> <name>` of each resource that does not stay the same."""
    warnings: list[str] = field(default_factory=list)


class EngineFailure(Failure):
    """The engine could not do what it was asked; the text holds its own messages."""


class Engine:
    """One stack in the checkout's own backend: of the checkout's own program, or of another `project`'s."""

    def __init__(
        self,
        stack: str,
        state: State,
        toolchain: Toolchain,
        config_file: Path | None = None,
        standin: bool = False,
        project: Path = CHECKOUT,
    ) -> None:
        """With `standin`, the local stand-in takes the place of Google Cloud."""
        self.state = state
        self.name = stack
        self.project = str(yaml.safe_load((project / "Pulumi.yaml").read_text())["name"])
        self.options: dict[str, Any] = {"config_file": str(config_file)} if config_file else {}
        self.environment = environment(state, toolchain)
        self.standin = standin
        work_dir = project
        stack_file = config_file or project / f"Pulumi.{stack}.yaml"
        self.members = standin_gcp.members_of(stack_file) if standin else {}
        if standin:
            self.environment |= standin_gcp.attach(state, self.members)
        if project == CHECKOUT and "encryptionsalt" not in (yaml.safe_load(stack_file.read_text()) or {}):
            work_dir, self.options = _workspace(state, stack, stack_file), {}
        state.backend.mkdir(parents=True, exist_ok=True)
        workspace = automation.LocalWorkspace(
            work_dir=str(work_dir),
            program=lambda: _run_program(project),
            env_vars={**self.environment, "KUBECONFIG": str(state.kubeconfig)},
            pulumi_home=str(state.pulumi_home),
            pulumi_command=automation.PulumiCommand(str(state.root)),
        )
        # Every command names its stack, so one that is there need not be selected, which would take a second.
        workspace.select_stack = lambda stack_name: None  # type: ignore[method-assign]
        is_there = self._checkpoint.exists()
        self.stack = (automation.Stack.select if is_there else automation.Stack.create)(stack, workspace)
        # After each operation the Automation API asks the CLI for outputs and history, which takes it longer
        # than a small update, and which nobody reads here.
        self.stack.outputs = dict  # type: ignore[method-assign]
        nothing = automation.UpdateSummary("", datetime.min, "", {}, {}, "")
        self.stack.info = lambda show_secrets=False: nothing  # type: ignore[method-assign]

    def preview(self, progress: Step, refresh: bool = False) -> Outcome:
        """What an update would change; the policies have judged it. Raises EngineFailure.

        With `refresh` it first looks for changes made behind Pulumi's back.
        """
        policies = [str(POLICIES)]
        return self._run("preview", self.stack.preview, progress, policy_packs=policies, refresh=refresh or None)

    def up(self, progress: Step, expected: int = 0, refresh: bool = False) -> Outcome:
        """Make the cluster what the stack file says; the preview `expected` so many resources to change.

        Raises EngineFailure; what was done until then is kept.
        """
        policies = [str(POLICIES)]
        return self._run("up", self.stack.up, progress, expected, policy_packs=policies, refresh=refresh or None)

    def destroy(self, progress: Step) -> Outcome:
        """Delete every resource of the stack. Raises EngineFailure."""
        return self._run("destroy", self.stack.destroy, progress)

    def observe(self, event: Any) -> None:
        """Called with each of the engine's events, for whoever wants more of them than their outcome."""

    def recover(self, progress: Step) -> bool:
        """Undo what an update left that was ended in its middle: its lock, and what it did not write down.

        Returns whether there was anything. Raises EngineFailure if another engine is at work right now.
        """
        locks = list((self.state.backend / ".pulumi" / "locks").rglob("*.json"))
        for lock in locks:
            _require_dead(json.loads(lock.read_text() or "{}"))
        if not locks and not self._pending_operations():
            return False
        if locks:
            self.stack.cancel()
        self._run("refresh", self.stack.refresh, progress, clear_pending_creates=True)
        return True

    @property
    def _checkpoint(self) -> Path:
        """Where the backend keeps what the engine knows of the stack."""
        return self.state.backend / ".pulumi" / "stacks" / self.project / f"{self.name}.json"

    def _pending_operations(self) -> bool:
        try:
            checkpoint = json.loads(self._checkpoint.read_text())["checkpoint"]
        except FileNotFoundError:
            return False
        return bool((checkpoint.get("latest") or {}).get("pending_operations"))

    def _run(
        self, name: str, operation: Callable[..., Any], progress: Step, expected: int = 0, **arguments: Any
    ) -> Outcome:
        outcome = Outcome()
        errors: list[str] = []
        self.state.logs.mkdir(parents=True, exist_ok=True)
        if self.standin:
            standin_gcp.trust(self.state, self.members)
            standin_gcp.show_members(self.state, self.members, self.project)
        with (self.state.logs / f"pulumi-{name}.log").open("w") as log:

            def write(line: str) -> None:
                log.write(line + "\n")
                log.flush()

            follow = _listener(outcome, errors, progress, expected)

            def listen(event: Any) -> None:
                follow(event)
                self.observe(event)

            try:
                operation(on_output=write, on_error=write, on_event=listen, color="never", **self.options, **arguments)
            except automation.CommandError as error:
                raise EngineFailure("\n".join(errors) or str(error)) from error
        return outcome


def _workspace(state: State, stack: str, stack_file: Path) -> Path:
    """A folder with the project file and a copy of the stack file, for the engine to write into.

    It adds its encryption to a stack file that has none. The real one is left to whoever deploys it
    for real, with a key of their own; the copy has the local stack's, of an empty passphrase.
    """
    folder = state.root / "workspace"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text((CHECKOUT / "Pulumi.yaml").read_text())
    salt = yaml.safe_load((CHECKOUT / "Pulumi.local.yaml").read_text())["encryptionsalt"]
    content = {**(yaml.safe_load(stack_file.read_text()) or {}), "encryptionsalt": salt}
    (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


def environment(state: State, toolchain: Toolchain) -> dict[str, str]:
    """The environment of the engine and of everything that it starts."""
    return {
        **processes.environment(state.root),
        "PATH": os.pathsep.join(
            [str(_programs(state, toolchain)), str(Path(sys.executable).parent), os.environ["PATH"]]
        ),
        # Without the side files in which the backend would keep attributes: it does not replace those in one go,
        # and of a state whose side file was cut short by a kill it says that the state itself cannot be read.
        "PULUMI_BACKEND_URL": f"file://{state.backend}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": "",  # nothing on loopback is worth a secret that everybody would share
        "PULUMI_HOME": str(_home(state)),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
        "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode"),  # as in the Makefile, and so the next
        "PYTHONDONTWRITEBYTECODE": "",
    }


def _home(state: State) -> Path:
    """The engine's own folder. A file where its folder `logs` would be keeps it from writing every property
    of every resource to a log that nobody asked for, which takes as long as all the rest.
    """
    state.pulumi_home.mkdir(parents=True, exist_ok=True)
    logs = state.pulumi_home / "logs"
    if not logs.exists():
        logs.touch()
    return state.pulumi_home


def _programs(state: State, toolchain: Toolchain) -> Path:
    """A folder with a link to each tool, to put on PATH alone, without its neighbours."""
    folder = state.root / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    links = {name: found.path for name, found in toolchain.found.items()}
    if not has_language_host(toolchain.path("pulumi")):
        links["pulumi-analyzer-policy-python"] = BIN / "pulumi-analyzer-policy-python"
    for name, target in links.items():
        link = folder / name
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return folder


def has_language_host(pulumi: Path) -> bool:
    """Whether the engine at `pulumi` can run Python programs by itself."""
    return shutil.which("pulumi-language-python", path=f"{pulumi.resolve().parent}:{os.environ['PATH']}") is not None


def _run_program(project: Path) -> None:
    """The project's program, as the CLI would run it."""
    runpy.run_path(str(project / "__main__.py"), run_name="__main__")


def _require_dead(lock: dict[str, Any]) -> None:
    """The engine's lock names its process; one that lives is at work, and must not be disturbed."""
    pid = lock.get("pid")
    with contextlib.suppress(psutil.Error):
        holder = psutil.Process(pid or 0)
        if "pulumi" in holder.name() and processes.runs(holder):
            raise EngineFailure(
                f"Another Pulumi (process {pid}) is at work on this stack since {lock.get('timestamp')}.\n"
                "  Wait until it ends, or end it, then run the same command again."
            )


COMPONENTS = ("pulumi:pulumi:Stack", "agent-sandbox:")
"""Types that are under way as long as anything in them is, which tells nobody anything."""


def _listener(outcome: Outcome, errors: list[str], progress: Step, expected: int) -> Callable[[Any], None]:
    """Follows the engine's events: what changes, what is under way, and what it says is wrong."""
    under_way: dict[str, str] = {}
    done: set[str] = set()

    def begin(metadata: Any) -> None:
        if metadata.op.value == "read":  # of another stack's outputs, which changes nothing
            return
        outcome.changes[metadata.op.value] += 1
        if metadata.op.value == "same":
            return
        kind, name = metadata.type.rpartition(":")[2], metadata.urn.rpartition("::")[2]
        outcome.changed.append(f"{metadata.op.value} {kind} {name}")
        if not metadata.type.startswith(COMPONENTS):
            under_way[metadata.urn] = outcome.changed[-1]

    def end(metadata: Any) -> None:
        under_way.pop(metadata.urn, None)
        if metadata.op.value != "same":
            done.add(metadata.urn)

    def listen(event: Any) -> None:
        if event.resource_pre_event:
            begin(event.resource_pre_event.metadata)
        elif event.res_outputs_event:
            end(event.res_outputs_event.metadata)
        elif event.res_op_failed_event:
            end(event.res_op_failed_event.metadata)
        elif event.policy_event:
            policy = event.policy_event
            _, _, said = policy.message.strip().partition("\n")  # the engine puts the policy's description first
            text = f"[{policy.enforcement_level}] {policy.policy_name}: {said or policy.message.strip()}"
            (errors if policy.enforcement_level == "mandatory" else outcome.warnings).append(text)
        elif event.diagnostic_event:
            severity, text = event.diagnostic_event.severity, event.diagnostic_event.message.strip()
            if severity == "error":
                errors.append(text)
            elif severity == "warning":
                outcome.warnings.append(text)
        if under_way:
            more = f", and {len(under_way) - 1} more" if len(under_way) > 1 else ""
            counted = f", {len(done)} of {expected} done" if expected else ""
            progress.update(next(iter(under_way.values())) + more + counted, len(done) / expected if expected else None)

    return listen
