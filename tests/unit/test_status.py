"""Status of any stack: through the kubeconfig and the context that its own file names."""

import json
from pathlib import Path

import pytest
import yaml

from local import commands

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "u", "user": {}}],
    "contexts": [{"name": "there", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "there",
}


def stack_file(folder: Path, context: str) -> str:
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(json.dumps(KUBECONFIG))
    values = {"target": "existing", "kubeconfig": str(kubeconfig), "context": context}
    file = folder / "Pulumi.team.yaml"
    file.write_text(yaml.safe_dump({"config": {f"agent-sandbox:{key}": value for key, value in values.items()}}))
    return str(file)


def checks(printed: str) -> dict[str, str]:
    found = json.loads(printed)
    assert found["well"] is False
    return {check["subject"]: check["detail"] for check in found["checks"]}


def test_a_cluster_that_does_not_answer_is_not_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["status", "--json", "--config-file", stack_file(tmp_path, "there")]) == 1
    assert "the API server does not answer" in checks(capsys.readouterr().out)["API server"]


def test_a_context_that_the_kubeconfig_lacks_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["status", "--json", "--config-file", stack_file(tmp_path, "elsewhere")]) == 1
    assert "elsewhere" in checks(capsys.readouterr().out)["kubeconfig"]


def test_a_stack_without_a_file_lists_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["status", "--stack", "moon"]) == 1
    said = capsys.readouterr().err
    assert "There is no stack file Pulumi.moon.yaml" in said
    assert "existing, fleet, local" in said
