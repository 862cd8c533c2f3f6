"""`make check`: what a pull request is judged by, on any machine and with no credentials.

Every stack is previewed by Pulumi's engine with the policy pack attached, on a control plane that is made for it and
thrown away, and what the preview would deploy is judged once more for the reports: SARIF for code scanning, and a
comment with what changes and what violates.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from local import processes, toolchain
from local.cluster import bring_up_cluster
from local.console import Failure, Step, say, step
from local.engine import Engine, EngineFailure
from local.paths import CHECKOUT, State
from local.stacks import check_settings, is_on_google
from policies import reports
from policies.checking import Outcome, check_objects
from policies.configuration import Configuration, ConfigurationError, load
from policies.documents import Document
from policies.inputs import of_steps
from policies.waivers import WaiverError
from policies.waivers import load as load_waivers

REPORTS = CHECKOUT / ".check"
CLEAN, VIOLATIONS, UNUSABLE = 0, 1, 2


@dataclass
class Preview:
    """What the engine would do for one stack, and what the policies say of it."""

    stack: str
    changes: Counter[str] = field(default_factory=Counter)
    steps: list[tuple[str, Any]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    """The mandatory policies that stopped the engine."""
    error: str = ""
    """Why there is no preview."""
    outcome: Outcome = field(default_factory=Outcome)


def main(arguments: Sequence[str]) -> int:
    """Judge the stacks; returns 0 when clean, 1 on violations, 2 where a stack cannot be previewed."""
    parser = argparse.ArgumentParser(prog="make check", description="Judge every stack, as a pull request does.")
    parser.add_argument("--stack", action="append", help="only this stack; may be given again")
    parser.add_argument("--config", type=Path, help="the policies' configuration")
    options = parser.parse_args(arguments)
    stacks = options.stack or sorted(file.name.split(".")[1] for file in CHECKOUT.glob("Pulumi.*.yaml"))
    os.environ.setdefault("CI", "true")  # what cannot be told yet fails here as it does there
    try:
        configuration = load(options.config) if options.config else Configuration()
        previews = [_judge(preview, configuration) for preview in _previews(stacks)]
    except (Failure, ConfigurationError, WaiverError) as error:
        say(str(error))
        return UNUSABLE
    _write(previews)
    sys.stdout.write(comment(previews))
    if any(each.error for each in previews):
        return UNUSABLE
    return VIOLATIONS if any(each.stopped or each.outcome.fails for each in previews) else CLEAN


def _previews(stacks: Sequence[str]) -> Iterator[Preview]:
    with tempfile.TemporaryDirectory(prefix="check-") as folder:
        state = State(Path(folder) / "state")
        os.environ["AGENT_SANDBOX_STATE"] = str(state.root)  # the stack's settings look for its kubeconfig there
        tools = toolchain.ensure()
        try:
            bring_up_cluster(state, tools)
            for name in stacks:
                with step(f"preview of {name}") as progress:
                    made = _preview(name, state, tools, progress)
                yield made
        finally:
            processes.kill_all(state.root)


def _preview(name: str, state: State, tools: toolchain.Toolchain, progress: Step) -> Preview:
    made = Preview(name)
    try:
        on_standin = is_on_google(check_settings(None, name))
        # What GKE would yet have to make needs no control plane; the others are previewed on the one that is up.
        own = State(state.root.with_name(name)) if on_standin else state
        file = None if on_standin else _on(state, name)
        engine = Engine(name, own, tools, file, on_standin)
        engine.observe = lambda event: _observe(made, event)  # type: ignore[method-assign]
        engine.preview(progress)
    except EngineFailure as error:
        if not made.stopped:
            made.error = str(error)
    except Failure as error:
        made.error = str(error)
    return made


def _on(state: State, name: str) -> Path:
    """A copy of a stack's file in which the embedded control plane is in the place of the cluster that it names."""
    content = yaml.safe_load((CHECKOUT / f"Pulumi.{name}.yaml").read_text())
    if content["config"].get("agent-sandbox:target") == "existing":
        content["config"]["agent-sandbox:kubeconfig"] = str(state.kubeconfig)
        content["config"]["agent-sandbox:context"] = yaml.safe_load(state.kubeconfig.read_text())["current-context"]
    file = state.root / f"Pulumi.{name}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def _observe(made: Preview, event: Any) -> None:
    if event.policy_event and event.policy_event.enforcement_level == "mandatory":
        made.stopped.append(event.policy_event.policy_name)
    if event.resource_pre_event:
        metadata = event.resource_pre_event.metadata
        made.changes[metadata.op.value] += 1
        if metadata.new:
            state = {"type": metadata.new.type, "urn": metadata.new.urn, "inputs": metadata.new.inputs}
            made.steps.append((metadata.urn, {"op": metadata.op.value, "newState": state}))


def _judge(made: Preview, configuration: Configuration) -> Preview:
    """The same rules over what the preview would deploy, for the reports; findings are shown at the stack's file."""
    file = f"Pulumi.{made.stack}.yaml"
    objects = of_steps(made.steps, Document(file, {}, 1, {}, {}))
    waivers = load_waivers()
    made.outcome = check_objects(objects, configuration, waivers)
    made.outcome.findings = [each for each in made.outcome.findings if each.control.name != "unusedWaiver"]
    if made.error:
        made.outcome.unreadable.append(f"{file}: {made.error}")
    return made


def _write(previews: Sequence[Preview]) -> None:
    REPORTS.mkdir(exist_ok=True)
    together = Outcome()
    for made in previews:
        together.resources += made.outcome.resources
        together.waived += made.outcome.waived
        together.findings += made.outcome.findings
        together.unreadable += made.outcome.unreadable
    for form, suffix in (("sarif", "sarif"), ("json", "json"), ("junit", "xml")):
        with (REPORTS / f"policies.{suffix}").open("w", encoding="utf-8") as file:
            file.writelines(reports.render(together, form))
    (REPORTS / "comment.md").write_text(comment(previews), encoding="utf-8")
    plans = {made.stack: [step for _, step in made.steps] for made in previews}
    (REPORTS / "previews.json").write_text(json.dumps(plans, default=str), encoding="utf-8")


def comment(previews: Sequence[Preview]) -> str:
    """What a reviewer wants to know, in a few lines of Markdown."""
    lines = ["### Policies\n", "\n", "| stack | would change | policies |\n", "|---|---|---|\n"]
    for made in previews:
        changes = ", ".join(f"{number} {name}" for name, number in sorted(made.changes.items()) if name != "same")
        verdict = "no preview" if made.error else reports.summary(made.outcome)
        lines.append(f"| {made.stack} | {changes or 'nothing'} | {verdict} |\n")
    for made in previews:
        for finding in made.outcome.findings[:MOST_SHOWN]:
            mark = "❌" if finding.level == "mandatory" else "⚠️"
            name = f"{finding.policy}/{finding.control.name}"
            lines.append(
                f"\n{mark} **{name}** {made.stack}: `{finding.resource}`: {finding.message} {finding.control.fix}\n"
            )
        if len(made.outcome.findings) > MOST_SHOWN:
            lines.append(f"\n... and {len(made.outcome.findings) - MOST_SHOWN} more in {made.stack}.\n")
        if made.error:
            lines.append(f"\n❌ {made.stack} could not be previewed:\n\n```\n{made.error[:2_000]}\n```\n")
    return "".join(lines)


MOST_SHOWN = 20
"""Findings of a stack that the comment lists; the reports hold all."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
