"""What all tests share: a recording mock of the engine, and the hardened upstream manifest."""

import asyncio
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks

import releases
from components import AgentSandboxControllerArgs

Manifest = dict[str, Any]


class Recorder(mocks.Mocks):
    """Remembers every registration; refuses an invoke that nobody answered for."""

    def __init__(self) -> None:
        self.made: dict[str, mocks.MockResourceArgs] = {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.made[args.name] = args
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"nobody answers for the invoke {args.token}")


@pytest.fixture
def build() -> Callable[[Callable[[], object]], dict[str, Manifest]]:
    """Runs a program against the mock; returns the inputs of everything registered, by name, once all is."""

    def run(program: Callable[[], object]) -> dict[str, Manifest]:
        recorder = Recorder()
        mocks.set_mocks(recorder, project="agent-sandbox", stack="test", preview=False)

        run_and_wait: Any = pulumi.runtime.test
        run_and_wait(program)()
        return {name: args.inputs for name, args in recorder.made.items()}

    asyncio.set_event_loop(asyncio.new_event_loop())
    return run


@pytest.fixture(scope="session")
def release() -> AgentSandboxControllerArgs:
    """The default release, as the stack hands it to the controller."""
    default = releases.default()
    default.fetch()
    return {"manifest": str(default.manifest_path), "sha256": default.sha256, "image": default.controller_image}
