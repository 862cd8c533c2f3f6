"""The two kinds of node that the embedded control plane can have, and what differs with them.

`simulated`, the default: kwok's nodes, which run no containers, and the controller and the router as
processes of this machine. `gvisor`: one real node in local/node/, where everything runs that the stack
declares. A deployment keeps the kind that it was made with.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from local import supervisor
from local.api import Api
from local.console import Failure, Step, say
from local.control_plane import ControlPlane, Design
from local.node import images, lifecycle, packages, preflight, readiness
from local.paths import State
from local.toolchain import Toolchain
from local.tools import Tool, node_tools

SUPERVISED = ("agent-sandbox-controller", "sandbox-router")


class Nodes(Protocol):
    """What the commands need of either kind."""

    name: str
    tools: tuple[Tool, ...]
    """What this kind needs beyond every deployment's tools."""
    described: str
    """What runs where, for the person who brought it up."""

    def check(self, state: State) -> None:
        """Say what the machine lacks, before anything is fetched or started. Raises Failure if that is too much."""

    def prepare(self, tools: Toolchain, stack: Any) -> None:
        """Get what the tools alone do not give; `stack` is the checked stack file."""

    def design(self, state: State) -> Design:
        """The control plane that fits."""

    def start(self, state: State, control_plane: ControlPlane) -> None:
        """Start what runs workloads, unless it runs; the control plane does."""

    def wait(self, state: State, progress: Step) -> None:
        """Wait until pods can be scheduled. Raises Failure."""


class Simulated:
    """kwok's nodes, with host processes for the workloads that are to do something."""

    name = "simulated"
    tools: tuple[Tool, ...] = ()
    described = (
        "The nodes are simulated and run no containers; the controller and the router are the real ones,\n"
        "as processes on this host."
    )

    def check(self, state: State) -> None:
        pass

    def prepare(self, tools: Toolchain, stack: Any) -> None:
        pass

    def design(self, state: State) -> Design:
        return Design()

    def start(self, state: State, control_plane: ControlPlane) -> None:
        supervisor.ensure(state, {name: control_plane.toolchain.path(name) for name in SUPERVISED})

    def wait(self, state: State, progress: Step) -> None:
        pass


class Gvisor:
    """One real node: kubelet, containerd and gVisor, and everything of the stack as real pods."""

    name = "gvisor"
    described = (
        "The node is real: each sandbox runs under gVisor, the controller and the router beside them under runc.\n"
        "They have no way to the internet, nor to this machine."
    )

    def __init__(self) -> None:
        self.tools = tuple(node_tools())
        self.programs: Mapping[str, Path] = {}
        self.images: Mapping[str, Path] = {}
        self.ctr = Path("ctr")
        self.withdrawn: list[str] = []

    def check(self, state: State) -> None:
        found = preflight.examine(state)
        for each in found:
            if not each.stops:
                say(f"  ! {each}")
        if stopping := [each for each in found if each.stops]:
            listed = "\n".join(f"  - {each}" for each in stopping)
            raise Failure(f"This machine cannot run a real node; nothing was started.\n{listed}")

    def prepare(self, tools: Toolchain, stack: Any) -> None:
        fetched = bool(packages.missing())
        self.programs = packages.ensure()
        if fetched and (found := list(preflight.firewall())):
            raise Failure(f"This machine cannot run a real node; nothing was started.\n  - {found[0]}")
        self.images = images.ensure(_images_of(stack), tools)
        self.ctr = tools.path("ctr")

    def design(self, state: State) -> Design:
        return lifecycle.design(state)

    def start(self, state: State, control_plane: ControlPlane) -> None:
        self.withdrawn = lifecycle.ensure(state, control_plane, self.programs)

    def wait(self, state: State, progress: Step) -> None:
        lifecycle.import_images(state, self.ctr, self.images, progress)
        lifecycle.wait_until_ready(state, progress)
        if self.withdrawn:
            progress.update(f"waiting for {len(self.withdrawn)} pods to be ready again")
            readiness.wait_for(Api(state.kubeconfig), self.withdrawn, lifecycle.READY_TIMEOUT)


KINDS: dict[str, type[Simulated | Gvisor]] = {"simulated": Simulated, "gvisor": Gvisor}


def of(state: State, asked: str | None = None) -> Nodes:
    """The kind that the deployment has, or else the one `asked` for. Raises Failure if they differ."""
    present = recorded(state)
    if asked is not None and present is not None and asked != present:
        raise Failure(
            f"NODE={asked}: this deployment was made with {present} nodes, and a control plane fits one kind.\n"
            f"  End it first: make down. Or keep both, the other one with AGENT_SANDBOX_STATE=<another folder>."
        )
    return kind(asked or present or Simulated.name)


def kind(name: str) -> Nodes:
    """The kind of that name. Raises Failure if there is none."""
    if name not in KINDS:
        raise Failure(f"NODE={name} is not a kind of node. There are: {', '.join(KINDS)}.")
    return KINDS[name]()


def recorded(state: State) -> str | None:
    """The kind that the deployment was made with; None if there is no deployment."""
    if lifecycle.is_real(state):
        return "gvisor"
    return "simulated" if state.kwok.exists() else None


def _images_of(stack: Any) -> Iterable[str]:
    """The images that a checked stack file names."""
    templates = stack.templates.values()
    named = [stack.controller.get("image"), stack.router.get("image"), *(each.get("image") for each in templates)]
    return [each for each in named if isinstance(each, str)]
