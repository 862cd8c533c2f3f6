"""Every command in docs/operations.md is one that its tool takes, and those that need no account do what is said.

Each block is a shell script without a syntax error; each command in it, and in the prose, is looked up in the help of
the real pulumi, kubectl, make and `python -m local`. gcloud and helm are not a part of the toolchain: what of them is
used is in the tables below. What brings a stack up and down is typed in test_gke_stacks.py.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

import settings
from local import toolchain
from local.engine import environment
from local.paths import CHECKOUT, State

pytestmark = pytest.mark.engine

GUIDE = (CHECKOUT / "docs" / "operations.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
TOOLS = ("pulumi", "kubectl", "make", "gcloud", "helm")
SHELL = ("export", "chmod", "python3", "hello/bin/pip", "hello/bin/python", "date", "uname")

GCLOUD = {
    "auth application-default login": set[str](),
    "certificate-manager certificates create": {
        "--domains",
        "--dns-authorizations",
        "--location",
        "--project",
        "--scope",
    },
    "certificate-manager dns-authorizations create": {"--domain", "--location", "--project"},
    "certificate-manager dns-authorizations describe": {"--location", "--project", "--format"},
    "components install": set[str](),
    "compute ssl-policies create": {"--profile", "--min-tls-version", "--region", "--global", "--project"},
    "container clusters update": {
        "--project",
        "--location",
        "--start-credential-rotation",
        "--complete-credential-rotation",
    },
    "container operations list": {"--project", "--location"},
    "kms keyrings create": {"--project", "--location"},
    "kms keys add-iam-policy-binding": {"--project", "--location", "--keyring", "--member", "--role"},
    "kms keys create": {
        "--project",
        "--location",
        "--keyring",
        "--purpose",
        "--rotation-period",
        "--next-rotation-time",
    },
    "projects describe": {"--format"},
    "services enable": {"--project"},
}
"""Commands and flags that the Google Cloud CLI's reference lists, of those that the guide uses."""
HELM = {"install": {"--namespace", "--set", "--kubeconfig"}}

WITHOUT_VALUE = ("--path", "--all", "--show-secrets", "--yes", "--version", "--preserve-config", "--create", "--global")

Command = list[str]
SUBSTITUTION = r"\$\(((?:[^()]|\([^()]*\))*)\)"


def commands(script: str) -> Iterator[Command]:
    """The simple commands of a script, those within $(...) too, without assignments and redirections."""
    script = re.sub(r"<<'(\w+)'\n.*?\n\1\n", "\n", script, flags=re.DOTALL).replace("\\\n", " ")
    for inner in re.findall(SUBSTITUTION, script):
        yield from commands(inner)
    for line in re.sub(SUBSTITUTION, "VALUE", script).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
        lexer.whitespace_split = True
        command: Command = []
        for token in [*lexer, ";"]:
            if set(token) <= set("&|;"):
                if words := _without_assignments(command):
                    yield words
                command = []
            else:
                command.append(token)


def _without_assignments(command: Command) -> Command:
    """A command without what is set for it, nor where its output goes."""
    for index, token in enumerate(command):
        if set(token) <= set("<>"):
            command = [*command[:index], *command[index + 2 :]]
            break
    while command and re.match(r"\w+=", command[0]):
        command = command[1:]
    return command


def all_commands() -> list[Command]:
    prose = re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL)
    inline = [each.replace("\n", " ") for each in re.findall(r"`([^`]+)`", prose)]
    typed = [each for each in inline if each.split()[0] in TOOLS and len(each.split()) > 1]
    return [command for script in [*BLOCKS, *typed] for command in commands(script)]


@cache
def _help(*words: str) -> str:
    program = [sys.executable, "-m", "local"] if words[0] == "local" else [str(toolchain.ensure().path(words[0]))]
    ended = subprocess.run(
        [*program, *words[1:]], cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=60
    )
    return ended.stdout + ended.stderr


def _of_cobra(tool: str, words: list[str], flags: set[str]) -> Iterator[str]:
    """What is wrong with a command of pulumi or kubectl, by their own help."""
    text = _help(tool, *words, "--help")
    usage = re.search(rf"Usage:\s+{tool} ?(.*)", text)
    if usage is None:
        yield "no such command"
        return
    known = re.match(r"([a-z-]+ ?)*", usage[1])
    path = known[0].split() if known else []
    left = words[len(path) :]
    if path and _is_alias(words, path, text):
        path = words[: len(path)]
    if words[: len(path)] != path or (left and f"{' '.join([tool, *path])} [command]" in text):
        yield f"is taken for `{tool} {usage[1]}`"
    text += _help("kubectl", "options") if tool == "kubectl" else ""
    yield from (f"has no {flag}" for flag in sorted(flags) if not _names(text, flag))


def _is_alias(words: list[str], path: list[str], text: str) -> bool:
    aliases = re.findall(r"[\w-]+", text.partition("Aliases:")[2].partition("\n\n")[0])
    return words[: len(path) - 1] == path[:-1] and len(words) >= len(path) and words[len(path) - 1] in aliases


def _names(text: str, flag: str) -> bool:
    return re.search(rf"(?<![\w-]){flag}(?![\w-])", text) is not None


def _of_make(words: list[str], variables: dict[str, str]) -> Iterator[str]:
    targets = re.findall(r"^([a-z-]+):.*## ", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    yield from (f"{word} is no target" for word in words if word not in targets)
    for flag in re.findall(r"--[a-z-]+", variables.get("ARGS", "")):
        if not _names(_help("local", words[0], "--help"), flag):
            yield f"{words[0]} has no {flag}"


def _of_table(table: dict[str, set[str]], words: list[str], flags: set[str]) -> Iterator[str]:
    name = next((each for each in table if " ".join(words).startswith(each)), None)
    if name is None:
        yield "is not in the table"
    else:
        yield from (f"{name} has no {flag}" for flag in sorted(flags - table[name]))


def problems(command: Command) -> list[str]:
    """What the command's tool would not take of it."""
    tool, *rest = command
    variables = dict(each.split("=", 1) for each in rest if re.match(r"[A-Z]+=", each))
    flags = {each.partition("=")[0] for each in rest if each.startswith("--")}
    words = _positional([each for each in rest if not re.match(r"[A-Z]+=", each)])
    if tool in ("pulumi", "kubectl"):
        return list(_of_cobra(tool, words, flags))
    if tool == "make":
        return list(_of_make(words, variables))
    if tool in ("gcloud", "helm"):
        return list(_of_table(GCLOUD if tool == "gcloud" else HELM, words, flags))
    return [] if tool in SHELL else ["is no command that is known here"]


def _positional(rest: list[str]) -> list[str]:
    """The words before and between flags; what follows a flag is taken for its value, unless the flag has none."""
    found, skip = [], False
    for each in rest:
        if each.startswith("-"):
            skip = "=" not in each and each not in WITHOUT_VALUE
        elif skip:
            skip = False
        else:
            found.append(each)
    return found


@pytest.mark.parametrize("index", range(len(BLOCKS)))
def test_a_block_is_a_script_without_a_syntax_error(index: int) -> None:
    subprocess.run(["bash", "-n"], input=BLOCKS[index], text=True, check=True)


def test_every_command_is_one_that_its_tool_takes() -> None:
    found = all_commands()
    assert {command[0] for command in found} >= set(TOOLS), "the guide uses them all"
    assert {" ".join(command): wrong for command in found if (wrong := problems(command))} == {}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pulumi stack outputt kubeconfig", "is taken for"),
        ("pulumi up --stak dev", "has no --stak"),
        ("pulumi config set --path a b --secrets", "has no --secrets"),
        ("kubectl delet pods", "no such command"),
        ("kubectl delete pods --everything", "has no --everything"),
        ("make statsu", "statsu is no target"),
        ('make status ARGS="--kubeconf FILE"', "status has no --kubeconf"),
        ("gcloud kms keys create k --ring r", "has no --ring"),
        ("gcloud container cluster update", "is not in the table"),
        ("puluni up", "is no command"),
    ],
)
def test_a_wrong_command_would_be_noticed(command: str, expected: str) -> None:
    (parsed,) = commands(command)
    assert expected in "\n".join(problems(parsed)), problems(parsed)


@pytest.mark.parametrize("stack", ["dev", "staging", "prod", "existing"])
def test_a_stack_file_is_not_encrypted_with_somebodys_key(stack: str) -> None:
    """`pulumi stack init` would ask whoever comes next for that one's passphrase."""
    assert not {"encryptionsalt", "encryptedkey"} & set(yaml.safe_load((CHECKOUT / f"Pulumi.{stack}.yaml").read_text()))


def test_what_the_guide_sets_is_what_the_stack_reads(tmp_path: Path) -> None:
    """Each command that makes a stack or sets its configuration, and `stack rm`, typed in the guide's order."""
    project = tmp_path / "project"
    project.mkdir()
    for file in CHECKOUT.glob("Pulumi*.yaml"):
        shutil.copy(file, project)
    state = State(tmp_path / "state")
    state.backend.mkdir(parents=True)
    variables = {"STACK": "dev", "PROJECT": "my-own-project", "REGION": "us-central1"}
    variables |= {"PULUMI_CONFIG_PASSPHRASE": "one of the reader's own"}
    typed = {**os.environ, **environment(state, toolchain.ensure()), **variables}
    read = []
    for script in [*BLOCKS, *re.findall(r"`(pulumi config set [^`]+)`", GUIDE)]:
        for line in script.splitlines():
            command = line.partition(" && ")[0].partition("   #")[0]
            if re.match(r"pulumi (stack init|stack select --create|config set) ", command):
                shell = ["bash", "-ec", f"{command} --non-interactive"]
                ended = subprocess.run(shell, cwd=project, env=typed, capture_output=True, text=True, check=False)
                assert ended.returncode == 0, f"{command}\n{ended.stderr}"
                read.append(settings.read(project / "Pulumi.dev.yaml"))
    assert read[-1].gke is not None
    assert (read[-1].gke.project, read[-1].gke.network["region"]) == ("my-own-project", "us-central1")
    assert [each.gke.cluster["agent_sandbox"] for each in read if each.gke].count(False) >= 1, "the add-on goes off"
    assert read[-1].gke.cluster["version"] == "1.36.3-gke.1767000"
    assert read[-1].warm_pools["python"].get("replicas") == 0
    (remove,) = [line for script in BLOCKS for line in script.splitlines() if line.startswith("pulumi stack rm ")]
    gone = ["bash", "-ec", f"{remove.partition('   #')[0]} --yes --non-interactive"]
    subprocess.run(gone, cwd=project, env=typed, check=True, capture_output=True)
    assert (project / "Pulumi.dev.yaml").exists(), "the stack file is still there"
    assert not list(state.backend.rglob("dev.json"))
