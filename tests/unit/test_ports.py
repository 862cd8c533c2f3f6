"""Ports: what one deployment holds, another one does not get, also while the first is down."""

import socket
from pathlib import Path

import pytest

from local import ports


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(ports, "CACHE", folder)
    return folder


def deployment(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    return folder


def reserve(owner: Path) -> set[int]:
    return set(ports.reserve(owner, ["etcd", "api"], lambda: None).values())


def test_a_deployment_that_is_down_keeps_its_ports(cache: Path, tmp_path: Path) -> None:
    first, second = deployment(tmp_path, "first"), deployment(tmp_path, "second")
    held = reserve(first)  # and nothing listens on them
    assert len(held) == 2
    assert not held & reserve(second)


def test_one_whose_state_is_gone_does_not(cache: Path, tmp_path: Path) -> None:
    first, second = deployment(tmp_path, "first"), deployment(tmp_path, "second")
    held = reserve(first)
    first.rmdir()
    assert reserve(second) == held


def test_a_port_that_somebody_listens_on_is_passed_over(cache: Path, tmp_path: Path) -> None:
    only = deployment(tmp_path, "only")
    port = max(reserve(only))
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        assert port not in reserve(only)


def test_a_registry_that_was_half_written_is_no_obstacle(cache: Path, tmp_path: Path) -> None:
    (cache / "ports.json").write_text('{"/somewhere": [1')
    assert len(reserve(deployment(tmp_path, "only"))) == 2
