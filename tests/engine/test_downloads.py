"""Downloads as kwokctl directs them, from a mirror that its own settings name."""

import http.server
import io
import platform
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from local import downloads, toolchain
from local.console import Step
from local.tools import pinned

pytestmark = pytest.mark.engine

KUBERNETES = pinned("kubernetes", "k8s.io/kubernetes")
ETCD = pinned("etcd", "go.etcd.io/etcd/server/v3")


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder, served where kwokctl is told that its downloads are."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("KWOK_KUBE_BINARY_PREFIX", "KWOK_ETCD_BINARY_PREFIX", "KWOK_BINARY_PREFIX"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(downloads, "_silent_hosts", {})
        yield folder
        server.shutdown()


def machine() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def install(name: str, tmp_path: Path) -> Path:
    kwokctl = toolchain.ensure().path("kwokctl")
    target = tmp_path / "got"
    target.mkdir()
    return downloads.install_component(kwokctl, name, KUBERNETES, ETCD, target, Step("test"))


@pytest.mark.parametrize("name", ["kube-apiserver", "kube-controller-manager", "kube-scheduler"])
def test_a_program_of_the_control_plane(name: str, mirror: Path, tmp_path: Path) -> None:
    (mirror / name).write_text("the program")
    got = install(name, tmp_path)
    assert got.read_text() == "the program"
    assert got.stat().st_mode & 0o111


def test_kwok_under_the_name_that_it_is_published_by(mirror: Path, tmp_path: Path) -> None:
    (mirror / f"kwok-linux-{machine()}").write_text("the program")
    assert install("kwok", tmp_path).name == "kwok"


def test_etcd_out_of_its_archive(mirror: Path, tmp_path: Path) -> None:
    content = b"the program"
    with tarfile.open(mirror / f"etcd-{ETCD}-linux-{machine()}.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo(f"etcd-{ETCD}-linux-{machine()}/etcd")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    assert install("etcd", tmp_path).read_bytes() == content


def test_what_the_mirror_lacks_is_named_with_its_address(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(downloads.Unavailable, match=r"http://127.0.0.1:\d+/kube-scheduler: HTTP Error 404"):
        install("kube-scheduler", tmp_path)
