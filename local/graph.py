"""A stack's resources as a graph, without deploying it: what the program registers, and under which parent.

The program runs in this process against a recording monitor that answers as the stand-in for Google
Cloud would. It is read from the stack file alone, so that it is the same on every machine.
"""

import asyncio
import base64
import json
import runpy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import config as pulumi_config
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import get_root_resource
from pulumi.runtime.stack import Stack

from local.paths import CHECKOUT
from local.standin_gcp import members_of
from local.standin_gcp.cloud import merged, project_number
from local.standin_gcp.computed import CLUSTER_VERSION, KINDS
from settings import PROJECT
from settings.fleet import name_of

ADDRESS = "gke-example.europe-west4.gke.goog"
OF_A_CLUSTER = {
    "endpoint": ADDRESS,
    "masterVersion": CLUSTER_VERSION,
    "masterAuth": {"clusterCaCertificate": base64.b64encode(b"example").decode()},
    "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"endpoint": ADDRESS}},
}
"""What a cluster computes, in place of the embedded control plane's own."""


Outputs = Mapping[str, Any]
"""What a stack puts out, by name."""


@dataclass(frozen=True)
class Node:
    """One resource."""

    kind: str
    """Its type token."""
    name: str
    parent: str
    """The parent's `<kind> <name>`; empty for the stack's own."""
    inputs: Mapping[str, Any]
    protected: bool
    needs: frozenset[str]
    """The keys of the resources that come before it."""

    @property
    def key(self) -> str:
        return f"{self.kind} {self.name}"


class _Answers(mocks.Mocks):
    """What Google Cloud computes, what other stacks put out, and nothing more."""

    def __init__(self, stacks: Mapping[str, Outputs]) -> None:
        self.stacks = stacks

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        kind, outputs = KINDS.get(args.typ), dict(args.inputs)
        if args.typ == "pulumi:pulumi:StackReference":
            known = self.stacks[name_of(str(outputs["name"]))]
            return args.name, {**outputs, "outputs": dict(known), "secretOutputNames": []}
        if kind is None:
            return f"{args.name}-id", outputs
        made = {
            name: OF_A_CLUSTER[name] if name in OF_A_CLUSTER else make(outputs) for name, make in kind.outputs.items()
        }
        return kind.identifier.format(**{"location": "", **outputs}), {**merged(outputs, made), **_settled(made)}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        project = args.args["projectId"]
        return {"id": project, "projectId": project, "number": project_number(project)}, []


def _settled(made: Mapping[str, Any]) -> dict[str, Any]:
    """Computed values that stand beside given ones in the same property."""
    return {name: value for name, value in made.items() if name == "controlPlaneEndpointsConfig"}


class _Monitor(mocks.MockMonitor):
    """Remembers what was asked for, parents included, which mocks are not told."""

    def __init__(self, stacks: Mapping[str, Outputs]) -> None:
        super().__init__(_Answers(stacks))
        self.requests: list[Any] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        self.requests.append(request)
        register: Any = super().RegisterResource
        return register(request)


def of_stack(stack_file: Path) -> list[Node]:
    """The resources that the stack's program declares for a stack file."""
    return _run(stack_file)[0]


def _run(stack_file: Path) -> tuple[list[Node], Outputs]:
    members = members_of(stack_file)
    stacks = {name: _run(stack_file.with_name(f"Pulumi.{name}.yaml"))[1] for name in members}
    _configure(stack_file)
    program = str(CHECKOUT / "__main__.py")
    outputs: dict[str, Any] = {}
    name = stack_file.name.split(".")[1]
    nodes = of_program(lambda: runpy.run_path(program, run_name="__main__"), name, stacks, outputs)
    return nodes, outputs


def of_program(
    program: Callable[[], object],
    stack: str,
    stacks: Mapping[str, Outputs] | None = None,
    outputs: dict[str, Any] | None = None,
) -> list[Node]:
    """The resources that `program` declares, sorted by parent and name; what it puts out goes into `outputs`.

    `stacks` are the outputs of those that it refers to, by name.
    """
    monitor = _Monitor(stacks or {})
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # the first failure is raised; what fails with it says the same
    asyncio.set_event_loop(loop)
    mocks.set_mocks(_Answers({}), project=PROJECT, stack=stack, preview=False, monitor=monitor)

    def run() -> None:
        program()  # what it returns would be taken for outputs
        root = get_root_resource()
        if outputs is not None and isinstance(root, Stack):
            pulumi.Output.all(**root.outputs).apply(outputs.update)

    run_and_wait: Any = pulumi.runtime.test
    run_and_wait(run)()
    nodes = [_node(request) for request in monitor.requests if request.type != "pulumi:pulumi:Stack"]
    return sorted(nodes, key=lambda node: (node.parent, node.key))


def _configure(stack_file: Path) -> None:
    declared = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text())["config"]
    values = {f"{PROJECT}:{name}": entry["default"] for name, entry in declared.items()}
    values |= yaml.safe_load(stack_file.read_text())["config"]
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    pulumi_config.set_all_config(texts)


def _node(request: Any) -> Node:
    return Node(
        request.type,
        request.name,
        _key(request.parent),
        dict(rpc.deserialize_properties(request.object)),
        bool(request.protect),
        frozenset(filter(None, (_key(urn) for urn in [*request.dependencies, request.provider.rpartition("::")[0]]))),
    )


def _key(urn: str) -> str:
    """The key of the node with a URN; empty for the stack."""
    parts = urn.split("::")
    key = f"{parts[2].rpartition('$')[2]} {parts[3]}" if len(parts) == 4 else ""
    return "" if key.startswith("pulumi:pulumi:Stack") else key


LEFT_OUT = ("manifest", "sha256", "status", "annotations")
"""Inputs that a picture does without: where a file lies on this machine, and what others fill in."""


def as_text(nodes: list[Node]) -> str:
    """The graph as a text: each resource below its parent, and under it what it is told."""
    return "\n".join(_lines(nodes, "", 0)) + "\n"


def _lines(nodes: list[Node], parent: str, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for node in nodes:
        if node.parent == parent:
            yield f"{indent}{node.key}{' [protected]' if node.protected else ''}"
            if node.kind.startswith("gcp:"):
                yield from (f"{indent}    {path} = {value}" for path, value in _told(node.inputs))
            yield from _lines(nodes, node.key, depth + 1)


def _told(inputs: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name in sorted(set(inputs) - set(LEFT_OUT)):
        value = inputs[name]
        if isinstance(value, Mapping) and value:
            yield from _told(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", json.dumps(value, sort_keys=True)
