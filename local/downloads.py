"""Official downloads, each by its own ecosystem's means.

pulumi comes with the Automation API's installer, the Kubernetes provider with the engine's own
plugin acquisition, and the control plane from the addresses that kwokctl names, so that kwokctl's
settings for mirrors (KWOK_KUBE_BINARY_PREFIX and the like) hold here too. A host that did not answer
once is not asked again in the same run.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import semver
from pulumi.automation import PulumiCommand

from local.console import Step, say

TIMEOUT = 10.0
"""Seconds that a host may take to answer, and that a transfer may stand still."""

KWOK_RELEASES = "https://github.com/kubernetes-sigs/kwok/releases/download"

_silent_hosts: dict[str, str] = {}


class Unavailable(Exception):
    """It could not be downloaded; the text says from where and why."""


def install_pulumi(version: str, target: Path, progress: Step) -> Path:
    """The whole Pulumi CLI, language hosts included, under `target`; returns the path of `pulumi`."""
    _require_host("https://get.pulumi.com/install.sh")
    progress.update("downloading with the Automation API's installer")
    try:
        PulumiCommand.install(root=str(target), version=semver.VersionInfo.parse(version.removeprefix("v")))
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"Pulumi's installer: {_output_of(error)}") from error
    return target / "bin" / "pulumi"


def install_provider(pulumi: Path, version: str, target: Path, progress: Step) -> Path:
    """The Kubernetes provider, acquired by the engine `pulumi` into `target`; returns its path."""
    progress.update("downloading with pulumi plugin install")
    command = [str(pulumi), "plugin", "install", "resource", "kubernetes", version, "--non-interactive"]
    environment = {**os.environ, "PULUMI_HOME": str(target), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=900)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"pulumi plugin install: {_output_of(error)}") from error
    return target / "plugins" / f"resource-kubernetes-{version}" / "pulumi-resource-kubernetes"


def install_kwokctl(version: str, target: Path, progress: Step) -> Path:
    base = os.environ.get("KWOK_BINARY_PREFIX", f"{KWOK_RELEASES}/{version}")
    return _executable(f"{base}/kwokctl-{_platform()}", target / "kwokctl", progress)


def install_component(kwokctl: Path, name: str, kubernetes: str, etcd: str, target: Path, progress: Step) -> Path:
    """One binary of the control plane, from the address that `kwokctl` gives for it."""
    for url in _artifacts(kwokctl, kubernetes, etcd):
        address, _, member = url.partition("#")
        file = address.rsplit("/", 1)[-1]
        if name in (file, member) or file == f"{name}-{_platform()}":
            if member:
                return _archived(address, member, target / name, progress)
            return _executable(address, target / name, progress)
    raise Unavailable(f"kwokctl names no download for {name} on {_platform()}")


def _artifacts(kwokctl: Path, kubernetes: str, etcd: str) -> list[str]:
    with tempfile.TemporaryDirectory() as workdir:
        settings = {
            "KWOK_WORKDIR": workdir,
            "KWOK_KUBE_VERSION": kubernetes,
            "KWOK_ETCD_VERSION": etcd.removeprefix("v"),
        }
        listed = subprocess.run(
            [str(kwokctl), "get", "artifacts", "--runtime", "binary", "--filter", "binary"],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
    if listed.returncode != 0:
        raise Unavailable(f"kwokctl get artifacts: {listed.stderr.strip()}")
    return listed.stdout.split()


def architecture() -> str:
    """This machine's, as Go and container images call it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _platform() -> str:
    return f"{platform.system().lower()}-{architecture()}"


def _executable(url: str, target: Path, progress: Step) -> Path:
    _fetch(url, target, progress)
    target.chmod(0o755)
    return target


def _archived(url: str, member: str, target: Path, progress: Step) -> Path:
    """The file named `member`, at whatever depth, of the tar archive at `url`."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        archive = Path(folder) / "archive"
        _fetch(url, archive, progress)
        with tarfile.open(archive) as content:
            for entry in content:
                source = content.extractfile(entry) if Path(entry.name).name == member else None
                if source is not None:
                    with target.open("wb") as file:
                        shutil.copyfileobj(source, file)
                    target.chmod(0o755)
                    return target
    raise Unavailable(f"{url} holds no file named {member}")


def _fetch(url: str, target: Path, progress: Step) -> None:
    """Download `url` to `target`, and compare it with the checksum that its publisher gives, if one does."""
    _require_host(url)
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response, target.open("wb") as file:
            size = int(response.headers.get("Content-Length") or 0)
            received = 0
            while block := response.read(1 << 20):
                file.write(block)
                digest.update(block)
                received += len(block)
                fraction = received / size if size else None
                progress.update(f"downloading, {received >> 20} of {size >> 20} MiB", fraction)
    except OSError as error:
        raise Unavailable(f"{url}: {error}") from error
    if size and received != size:
        raise Unavailable(f"{url}: ended after {received} of {size} bytes")
    published = _published_checksum(url)
    if published and published != digest.hexdigest():
        raise Unavailable(f"{url}: its sha256 is {digest.hexdigest()}, its publisher says {published}")


def _published_checksum(url: str) -> str | None:
    """From `<url>.sha256` as Kubernetes publishes it, or a SHA256SUMS beside it as etcd does."""
    folder, _, name = url.rpartition("/")
    for address in (f"{url}.sha256", f"{folder}/SHA256SUMS"):
        try:
            with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
                lines = response.read(1 << 20).decode("utf-8", "replace").split("\n")
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words and len(words[0]) == 64 and (len(words) == 1 or words[1].lstrip("*") == name):
                return str(words[0]).lower()
    return None


def _require_host(url: str) -> None:
    """Raise Unavailable if the host of `url` does not answer, now or earlier in this run."""
    host = urllib.parse.urlsplit(url).netloc
    if host not in _silent_hosts:
        try:
            request = urllib.request.Request(url, method="HEAD")
            urllib.request.urlopen(request, timeout=TIMEOUT).close()
        except urllib.error.HTTPError:
            return  # it answers; what it says of this file shows when the file is asked for
        except OSError as error:
            _silent_hosts[host] = str(getattr(error, "reason", error))
            say(f"  - no downloads from {host}: {_silent_hosts[host]}")
    if host in _silent_hosts:
        raise Unavailable(f"{host} does not answer ({_silent_hosts[host]})")


def _output_of(error: Exception) -> str:
    """What a failed command printed last, or the error itself."""
    for stream in (getattr(error, "stderr", None), getattr(error, "output", None)):
        text = stream.decode("utf-8", "replace") if isinstance(stream, bytes) else stream
        if text and text.strip():
            return str(text).strip().splitlines()[-1]
    return str(error)
