"""The toolchain: found before downloaded, downloaded before built, and never half there."""

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import building, downloads, paths, toolchain, tools
from local.console import Failure, Step
from local.downloads import Unavailable
from local.tools import Tool, Version


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setattr(tools, "TOOLS_CACHE", cache)
    monkeypatch.setattr(toolchain, "TOOLS_CACHE", cache)
    return cache


@pytest.fixture
def kubectl() -> Tool:
    return next(tool for tool in tools.all_tools() if tool.name == "kubectl")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A loopback web server over an empty folder: its address and the folder."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", folder
        running.shutdown()


def program(folder: Path, name: str, prints: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{prints}'\n")
    file.chmod(0o755)
    return file


def version(text: str) -> Version:
    return Version.parse(text)


def test_every_tool_is_pinned_by_its_own_go_mod() -> None:
    for tool in tools.all_tools():
        assert tool.version.startswith("v")
        assert (tool.source.folder / "go.sum").exists()


def test_a_fitting_program_on_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kubectl: Tool) -> None:
    pinned = version(kubectl.version.removeprefix("v"))
    near = f"{pinned.major}.{pinned.minor - 1}.7"
    file = program(tmp_path / "bin", "kubectl", f"Client Version: v{near}-vendor.1")
    monkeypatch.setenv("PATH", f"{file.parent}:/usr/bin:/bin")
    found = toolchain.look()["kubectl"]
    assert (found.path, found.version, found.origin) == (file, f"v{near}", "found on PATH")


@pytest.mark.parametrize("prints", ["Client Version: v1.20.0", "no version at all", ""])
def test_another_program_on_path_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prints: str) -> None:
    file = program(tmp_path / "bin", "kubectl", prints)
    monkeypatch.setenv("PATH", f"{file.parent}:/usr/bin:/bin")
    assert "kubectl" not in toolchain.look()


def test_path_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kubectl: Tool) -> None:
    file = program(tmp_path / "bin", "kubectl", f"Client Version: {kubectl.version}")
    monkeypatch.setenv("PATH", f"{file.parent}:/usr/bin:/bin")
    assert "kubectl" not in toolchain.look(["download", "build"])


@pytest.mark.parametrize(
    ("fits", "found", "expected"),
    [
        (tools._same_minor, "1.36.9", True),
        (tools._same_minor, "1.35.3", False),
        (tools._one_minor_apart, "1.37.0", True),
        (tools._one_minor_apart, "1.34.0", False),
        (tools._at_least, "1.36.2", False),
        (tools._at_least, "1.40.0", True),
        (tools._at_least, "2.0.0", False),
        (tools._exactly, "1.36.3", True),
        (tools._exactly, "1.36.4", False),
    ],
)
def test_which_versions_fit(fits: tools.Fits, found: str, expected: bool) -> None:
    assert fits(version(found), version("1.36.3")) is expected


def test_when_no_way_leads_to_a_tool_the_error_says_what_was_tried_and_why_it_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_build(*_: object) -> None:
        raise building.BuildFailed("go build: no space left on device")

    def no_download(*_: object) -> Path:
        raise Unavailable("example.org does not answer")

    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(building, "build", no_build)
    monkeypatch.setattr(building, "fetch_modules", lambda *_: 1)
    monkeypatch.setattr(toolchain, "_downloaded", no_download)
    with pytest.raises(Failure) as raised:
        toolchain.ensure()
    text = str(raised.value)
    for tool in tools.all_tools():
        assert f"  {tool.name} {tool.version}\n    PATH: no fitting version" in text
    assert "download: example.org does not answer" in text
    assert "build: go build: no space left on device" in text


def test_a_way_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_SANDBOX_TOOLS", "path,compile")
    with pytest.raises(Failure, match="compile is not a way to come by a tool"):
        toolchain.ensure()


def test_an_interrupted_build_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    target = tmp_path / "tool"

    def interrupted() -> None:
        with paths.made_whole(target) as partial:
            (partial / "binary").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_does_not_get_into_the_next(tmp_path: Path) -> None:
    left = tmp_path / "tool.partial"
    left.mkdir()
    (left / "stale").write_text("")
    with paths.made_whole(tmp_path / "tool") as partial:
        (partial / "binary").write_text("whole")
    assert [file.name for file in (tmp_path / "tool").iterdir()] == ["binary"]


def test_a_download_is_compared_with_its_publishers_checksum(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    content = b"a program"
    (folder / "tool").write_bytes(content)
    (folder / "tool.sha256").write_text(hashlib.sha256(content).hexdigest())
    target = tmp_path / "fetched"
    downloads._fetch(f"{address}/tool", target, Step("test"))
    assert target.read_bytes() == content
    (folder / "tool.sha256").write_text(hashlib.sha256(b"another").hexdigest())
    with pytest.raises(Unavailable, match="its publisher says"):
        downloads._fetch(f"{address}/tool", target, Step("test"))


def test_a_list_of_checksums_serves_too(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    (folder / "etcd.tar.gz").write_bytes(b"archive")
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  other\n{'1' * 64}  etcd.tar.gz\n")
    with pytest.raises(Unavailable, match="1111"):
        downloads._fetch(f"{address}/etcd.tar.gz", tmp_path / "x", Step("test"))


def test_one_file_is_taken_out_of_an_archive(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    with tarfile.open(folder / "etcd.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("etcd-v3/etcd")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"etcd"))
    downloads._archived(f"{address}/etcd.tar.gz", "etcd", tmp_path / "etcd", Step("test"))
    assert (tmp_path / "etcd").read_bytes() == b"etcd"
    assert (tmp_path / "etcd").stat().st_mode & 0o111
    with pytest.raises(Unavailable, match="holds no file named etcdctl"):
        downloads._archived(f"{address}/etcd.tar.gz", "etcdctl", tmp_path / "etcdctl", Step("test"))


def test_a_host_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def refuse(*_: object, **__: object) -> None:
        asked.append(1)
        raise OSError("no route")

    monkeypatch.setattr(downloads, "_silent_hosts", {})
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    for _ in range(3):
        with pytest.raises(Unavailable, match="does not answer"):
            downloads._fetch("https://silent.example/tool", tmp_path / "x", Step("test"))
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("package", "name"),
    [("go.etcd.io/etcd/server/v3", "server"), ("sigs.k8s.io/kwok/cmd/kwokctl", "kwokctl")],
)
def test_what_go_names_a_binary(package: str, name: str) -> None:
    assert building.built_name(package) == name
