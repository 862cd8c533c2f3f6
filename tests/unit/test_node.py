"""A real node's rules: what it is told, what its machine must have, which kind a deployment keeps."""

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from local import commands, nodes
from local.console import Failure
from local.node import cgroups, config, images, packages, preflight
from local.node.config import Machine
from local.paths import CHECKOUT, State
from local.toolchain import Toolchain
from local.tools import node_tools

FULL = Machine(cgroup_v2=True, may_lower_oom_score=True)
LESSER = Machine(cgroup_v2=False, may_lower_oom_score=False)


@pytest.mark.parametrize(
    ("machine", "runtime", "restricted"),
    [(FULL, "io.containerd.runsc.v1", False), (LESSER, "io.containerd.runc.v2", True)],
)
def test_gvisors_own_shim_is_used_where_the_machine_lets_it(machine: Machine, runtime: str, restricted: bool) -> None:
    told = tomllib.loads(config.containerd_config(machine))
    plugin = told["plugins"]["io.containerd.cri.v1.runtime"]
    assert plugin["containerd"]["runtimes"]["gvisor"]["runtime_type"] == runtime
    assert plugin["restrict_oom_score_adj"] is restricted
    assert plugin["containerd"]["runtimes"]["runc"]["runtime_type"] == "io.containerd.runc.v2"
    assert told["plugins"]["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == config.PAUSE_IMAGE


def test_the_kubelet_lets_nobody_in_whom_the_api_server_does_not_know() -> None:
    told = config.kubelet_config(LESSER)
    assert told["authorization"] == {"mode": "Webhook"}
    assert told["authentication"]["anonymous"] == {"enabled": False}  # type: ignore[index]
    assert told["oomScoreAdj"] == 0
    assert config.kubelet_config(FULL)["oomScoreAdj"] == -999


def test_what_is_told_fits_into_a_unix_socket_path_however_long_the_checkouts_path_is(tmp_path: Path) -> None:
    deep = State(tmp_path / ("x" * 200))
    assert len(str(config.egress_socket(deep))) < 60
    assert config.identity(deep) != config.identity(State(tmp_path))


def test_all_that_wants_root_says_so_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (found,) = preflight.examine(State(tmp_path))
    assert found.stops
    assert "sudo make up NODE=gvisor" in str(found)


def test_everything_that_is_missing_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(preflight, "COMMANDS", {"no-such-program": "its-package"})
    monkeypatch.setattr(preflight, "LEAST_CORES", 10_000)
    monkeypatch.setattr(preflight, "V1_CONTROLLERS", ("no-such-controller",))
    monkeypatch.setattr(cgroups, "V2_CONTROLLERS", ("no-such-controller",))
    monkeypatch.setattr(preflight, "may_lower_oom_score", lambda: False)
    with pytest.raises(Failure) as raised:
        nodes.Gvisor().check(State(Path("/run/somewhere")))
    text = str(raised.value)
    for said in (
        "nothing was started",
        "/run/somewhere lies under /run",
        "no-such-program not on PATH",
        "apt-get install its-package",
        "No cgroup controllers no-such-controller",
    ):
        assert said in text
    assert "CAP_SYS_RESOURCE" not in text  # announced, but no reason to stop


def test_packages_that_cannot_be_fetched_are_named_with_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(packages, "SYSTEM_FOLDERS", "")
    monkeypatch.setattr(packages, "HOME", tmp_path / "cache")
    assert packages.missing() == ["ipset", "iptables", "runc"]
    with pytest.raises(Failure, match="apt-get install ipset iptables runc"):
        packages.ensure()
    assert not (tmp_path / "cache").exists()


def test_a_policys_ipv6_blocks_do_not_reach_the_sets_of_ipv4(tmp_path: Path) -> None:
    written = tmp_path / "written"
    (tmp_path / "ipset-itself").write_text(f'#!/bin/sh\ncat > {written}\necho "$@"\n')
    (tmp_path / "ipset-itself").chmod(0o755)
    wrapper = CHECKOUT / "local" / "node" / "ipset-of-ipv4"
    lines = [
        "create KUBE-DST hash:net family inet timeout 0",
        "add KUBE-DST 0.0.0.0/1 timeout 0",
        "add KUBE-DST fc00::/7 timeout 0 nomatch",
        "add KUBE-DST 2001:db8::/32 timeout 0",
        "add KUBE-DST 10.0.0.0/8 timeout 0 nomatch",
    ]
    ended = subprocess.run(
        [wrapper, "restore", "-exist"],
        input="\n".join(lines) + "\n",
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "restore -exist\n"
    assert written.read_text().splitlines() == [lines[0], lines[1], lines[4]]


def test_a_deployment_keeps_the_kind_of_node_that_it_was_made_with(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    assert nodes.of(state).name == "simulated"
    assert nodes.of(state, "gvisor").name == "gvisor"
    config.folder(state).mkdir(parents=True)
    assert nodes.of(state).name == "gvisor"
    with pytest.raises(Failure, match="was made with gvisor nodes"):
        nodes.of(state, "simulated")
    with pytest.raises(Failure, match="There are: simulated, gvisor"):
        nodes.of(State(tmp_path / "other"), "docker")


def test_doctor_lists_a_real_nodes_tools_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    commands.main(["doctor", "--json"])
    without = json.loads(capsys.readouterr().out)
    commands.main(["doctor", "--json", "--node", "gvisor"])
    with_them = json.loads(capsys.readouterr().out)
    assert with_them.keys() - without.keys() == {tool.name for tool in node_tools()}
    assert commands.main(["toolchain", "--node", "docker"]) == 1
    assert "There are: simulated, gvisor" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("registry.example:5000/a/pause:3.10", "pause"),
        ("registry.example/pause@sha256:0123", "pause"),
        ("registry.example/a/pause:3.10@sha256:0123", "pause"),
        ("pause", "pause"),
    ],
)
def test_what_an_image_is_recognized_by(image: str, repository: str) -> None:
    assert images.repository(image) == repository


def test_an_image_that_nobody_has_is_refused_with_those_that_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_SANDBOX_TOOLS", "build")
    monkeypatch.setattr(images, "RECIPES", {"python-runtime-sandbox": images.RECIPES["python-runtime-sandbox"]})
    monkeypatch.setattr(images, "PAUSE_IMAGE", "registry.example/other:v1")
    with pytest.raises(Failure, match="only these can be put together here: python-runtime-sandbox"):
        images.ensure([], Toolchain({}))
