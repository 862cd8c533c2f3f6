"""Programs of a few lines, as a component's user writes them, deployed by Pulumi's engine to a test's own cluster."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pulumi import automation

from local.engine import environment
from local.toolchain import Toolchain
from tests.engine.conftest import Deployment

Program = Callable[[], None]


class Inline:
    """Stacks on one control plane, each with a program that may change from update to update.

    The programs need no provider of their own: the default one reads $KUBECONFIG, as it does under `pulumi up`.
    """

    def __init__(self, deployment: Deployment, tools: Toolchain) -> None:
        self.state = deployment.state
        self.state.backend.mkdir(parents=True, exist_ok=True)
        self.environment = {**environment(self.state, tools), "KUBECONFIG": str(self.state.kubeconfig)}

        self._stacks: dict[str, automation.Stack] = {}

    def _stack(self, name: str, program: Program) -> automation.Stack:
        stack = self._stacks.get(name) or self._stacks.setdefault(name, self._new(name))
        stack.workspace.program = program
        return stack

    def _new(self, name: str) -> automation.Stack:
        folder = self.state.root / "inline" / name
        folder.mkdir(parents=True)
        workspace = automation.LocalWorkspaceOptions(
            work_dir=str(folder),
            env_vars=self.environment,
            pulumi_home=str(self.state.pulumi_home),
            pulumi_command=automation.PulumiCommand(str(self.state.root)),
            project_settings=automation.ProjectSettings(name="inline", runtime="python"),
        )
        stack = automation.create_or_select_stack(
            stack_name=name, project_name="inline", program=lambda: None, opts=workspace
        )
        # The Automation API would ask the CLI for the history after each operation, which nobody reads here.
        nothing = automation.UpdateSummary("", datetime.min, "", {}, {}, "")
        stack.info = lambda show_secrets=False: nothing  # type: ignore[method-assign]
        return stack

    def up(self, name: str, program: Program) -> dict[str, Any]:
        """Deploy; returns the outputs."""
        made = self._stack(name, program).up(color="never")
        return {key: output.value for key, output in made.outputs.items()}

    def changes(self, name: str, program: Program) -> dict[str, int]:
        """What an update would do, by operation, without what stays the same."""
        summary = self._stack(name, program).preview(color="never").change_summary
        return {str(operation): count for operation, count in summary.items() if operation != "same"}

    def destroy(self, name: str) -> None:
        self._stack(name, lambda: None).destroy(color="never")
