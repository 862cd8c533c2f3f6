"""The components as a multi-language package: what other languages see is what Python sees."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

import components
from components._arguments import camel_case
from local.paths import CHECKOUT


@pytest.fixture(scope="module")
def schema() -> Iterator[dict[str, Any]]:
    """The schema that the package's own process hands the engine."""
    command = [sys.executable, str(CHECKOUT / "components" / "__main__.py"), "127.0.0.1:1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            yield json.loads(stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    finally:
        process.kill()
        process.wait()


def test_it_offers_every_component_with_every_argument_and_its_description(schema: dict[str, Any]) -> None:
    kinds = [name for name in components.__all__ if f"{name}Args" in components.__all__]
    for name in kinds:
        offered = schema["resources"][f"agent-sandbox:index:{name}"]["inputProperties"]
        arguments = getattr(components, f"{name}Args").__annotations__
        assert set(offered) == {camel_case(argument) for argument in arguments}


def test_a_required_argument_is_required_in_every_language(schema: dict[str, Any]) -> None:
    pool = schema["resources"]["agent-sandbox:index:SandboxWarmPool"]
    assert sorted(pool["requiredInputs"]) == ["namespace", "template"]
    assert "poolName" in pool["properties"]


def test_what_decides_structure_is_plain_and_the_rest_may_be_an_output(schema: dict[str, Any]) -> None:
    pool = schema["resources"]["agent-sandbox:index:SandboxWarmPool"]["inputProperties"]
    assert pool["replicas"]["plain"] is True
    assert "plain" not in pool["template"]
