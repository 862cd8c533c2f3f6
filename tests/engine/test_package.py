"""The components as programs in other languages use them: the engine has the package's own process make them."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from local import toolchain
from local.api import EXTENSIONS, Api
from local.console import Step
from local.engine import Engine
from local.paths import CHECKOUT
from tests.engine.conftest import NAMESPACE, Deployment

pytestmark = pytest.mark.engine

PROGRAM = """
import json
import pathlib
import pulumi

earlier = []
for kind, inputs in json.loads(pathlib.Path(__file__).with_name("inputs.json").read_text()):
    after = pulumi.ResourceOptions(depends_on=earlier[-1:])
    token = f"agent-sandbox:index:{kind}"
    earlier.append(pulumi.ComponentResource(token, "foreign", inputs, after, remote=True))
"""
"""Registers components by their tokens and inputs alone, which is what an SDK of any language sends."""

TEMPLATE = {
    "namespace": NAMESPACE,
    "image": "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.5.6",
    "limits": {"cpu": "100m", "memory": "128Mi"},
    "egress": {"cidrs": [{"cidr": "140.82.112.0/20", "ports": [443]}], "ipFamilies": ["IPv4"]},
}


def inputs(replicas: int) -> list[tuple[str, dict[str, Any]]]:
    pool = {"namespace": NAMESPACE, "template": "foreign", "replicas": replicas}
    return [("SandboxTemplate", TEMPLATE), ("SandboxWarmPool", pool)]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of another language, and the package as a plugin on PATH, where the engine looks for one."""
    plugin = tmp_path / "bin" / "pulumi-resource-agent-sandbox"
    plugin.parent.mkdir()
    plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -u "{CHECKOUT / "components"}" "$@"\n')
    plugin.chmod(0o755)
    monkeypatch.setenv("PATH", f"{plugin.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "Pulumi.yaml").write_text("name: foreign\nruntime: python\n")
    (tmp_path / "Pulumi.try.yaml").write_text("{}")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    return tmp_path


def test_another_languages_program_makes_a_template_and_a_pool_of_it(platform: Deployment, project: Path) -> None:
    asked = project / "inputs.json"
    asked.write_text(json.dumps(inputs(1)))
    engine = Engine("try", platform.state, toolchain.ensure(), project=project)
    engine.up(Step("foreign"))
    try:
        templates = Api(platform.state.kubeconfig).items(f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxtemplates")
        [made] = [each for each in templates if each["metadata"]["name"] == "foreign"]
        pod = made["spec"]["podTemplate"]["spec"]
        assert pod["runtimeClassName"] == "gvisor"
        assert pod["containers"][0]["resources"]["limits"]["memory"] == "128Mi"
        assert not engine.preview(Step("foreign")).changed
        asked.write_text(json.dumps(inputs(0)))
        changed = engine.preview(Step("foreign")).changed
        assert changed == ["update SandboxWarmPool foreign", "update SandboxWarmPool foreign-pool"]
    finally:
        engine.destroy(Step("foreign"))
