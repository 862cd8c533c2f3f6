"""Every command of the README, typed as a stranger would type it, in a checkout of its own."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from local.paths import CHECKOUT

pytestmark = pytest.mark.engine

README = (CHECKOUT / "README.md").read_text()
LEFT_BEHIND = shutil.ignore_patterns(".state*", ".git", "__pycache__", ".*_cache", ".venv")


def commands_of_readme() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


OF_MAKE = re.compile(r"AGENT_SANDBOX|MAKE|MFLAGS|(ARGS|STACK|NODE|COUNT|POOL|VERSION|FROM)$")
"""What `make test` was given is not for the targets that are typed here."""


class Shell:
    """A stranger's shell, in a checkout whose path has a space."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.environment = {name: value for name, value in os.environ.items() if not OF_MAKE.match(name)}

    def type(self, script: str, expect: int = 0) -> str:
        ended = subprocess.run(
            ["bash", "-ec", script],
            cwd=self.checkout,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
        assert ended.returncode == expect, f"{script}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    checkout = tmp_path_factory.mktemp("stranger") / "agent sandbox"
    shutil.copytree(CHECKOUT, checkout, ignore=LEFT_BEHIND)
    shell = Shell(checkout)
    yield shell
    shell.type("make down")


def test_the_commands_are_those_that_the_tests_below_run() -> None:
    assert commands_of_readme() == [
        "make up",
        "make test",  # what runs this
        "make claim",
        "make status",
        "make logs",
        'eval "$(make -s env)"',
        "kubectl get sandboxes -A",
        "pulumi preview -s local",
        "make down",
        "make preview STACK=dev",  # test_gke_stacks runs it; what follows needs an account
        "gcloud auth application-default login",
        "pulumi stack init dev",
        "pulumi config set project my-project --stack dev",
        "pulumi up --stack dev --policy-pack policies",
        "pulumi stack init team",
        "pulumi up --stack team --policy-pack policies",
    ]


def test_up_and_what_one_does_then(shell: Shell) -> None:
    printed = shell.type("make up")
    shown = README.split("It ends with what runs:\n\n```\n")[1].split("```")[0]
    for line in shown.splitlines()[1:]:
        subject = line.split("  ")[1].strip()
        assert subject in printed, f"the README shows {subject!r}"
    assert ", warm, ready after" in shell.type("make claim")
    assert "All is well." in shell.type("make status")
    assert "kube-apiserver" in shell.type("make logs")
    assert shell.type("make -s kubeconfig") == f"{shell.checkout}/.state/kubeconfig\n"
    assert "sandboxes   python-" in shell.type('eval "$(make -s env)"; kubectl get sandboxes -A')


def test_plain_pulumi_finds_the_stack_as_make_left_it(shell: Shell) -> None:
    printed = shell.type(
        'eval "$(make -s env)"; pulumi preview -s local --policy-pack policies --diff --non-interactive'
    )
    assert re.search(r"Resources:\n +\d+ unchanged\n", printed), printed
    printed = shell.type('eval "$(make -s env)"; pulumi up -s local --policy-pack policies --yes --non-interactive')
    assert re.search(r"Resources:\n +\d+ unchanged\n", printed), printed


def test_plain_pulumi_explains_a_wrong_stack_file(shell: Shell) -> None:
    file = shell.checkout / "Pulumi.local.yaml"
    right = file.read_text()
    file.write_text(right.replace("replicas: 2", "replicas: -2"))
    printed = shell.type('eval "$(make -s env)"; pulumi preview -s local --non-interactive', expect=1)
    file.write_text(right)
    assert "agent-sandbox:warmPools.python.replicas: -2 is not between 0 and 10000." in printed
    assert "Traceback" not in printed
    assert "unhandled" not in printed


def test_the_stack_goes_to_a_cluster_that_is_there_already(shell: Shell) -> None:
    shell.type("make destroy")
    (example,) = re.findall(r"```yaml\n# Pulumi.team.yaml\n(.*?)```", README, re.DOTALL)
    content = yaml.safe_load(example)
    kubeconfig = yaml.safe_load((shell.checkout / ".state" / "kubeconfig").read_text())
    content["config"]["agent-sandbox:context"] = kubeconfig["current-context"]
    (shell.checkout / "Pulumi.team.yaml").write_text(yaml.safe_dump(content))
    script = 'eval "$(make -s env)"; pulumi stack init team; pulumi up --stack team --policy-pack policies --yes'
    assert "+ 3" in shell.type(script)
    pools = shell.type('eval "$(make -s env)"; kubectl get sandboxwarmpools -A -o yaml')
    assert "readyReplicas: 10" in pools
    shell.type('eval "$(make -s env)"; pulumi destroy --stack team --yes')


def test_down_leaves_the_checkout_as_it_was(shell: Shell) -> None:
    shell.type("make down")
    assert not (shell.checkout / ".state").exists()
    assert "there is nothing to do" in shell.type("make down")
