"""The upstream releases that a stack can install, and where their manifests come from.

The default release's manifest is put together from upstream's Go module, which any Go module proxy
serves and go.sum verifies; any other is an asset of upstream's release page. Both are kept in the
per-user cache, and nothing is installed that has not the checksum in releases.toml or the stack file.
"""

import hashlib
import tomllib
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pulumi

from local import building
from local.bootstrap import locked
from local.console import say
from local.paths import CACHE, CHECKOUT

MODULE = "sigs.k8s.io/agent-sandbox"
REGISTRY = "registry.k8s.io/agent-sandbox"
RELEASE_PAGE = "https://github.com/kubernetes-sigs/agent-sandbox/releases/download"
ASSET = "sandbox-with-extensions.yaml"
"""The asset that is the whole of a release, in every release since v0.5.2."""

TIMEOUT = 30.0
"""Seconds that the release page may take to answer."""

PINS = CHECKOUT / "releases.toml"

FILES = (
    "controller.yaml",
    "rbac.generated.yaml",
    "crds/agents.x-k8s.io_sandboxes.yaml",
    "extensions.controller.yaml",
    "extensions.yaml",
    "extensions-rbac.generated.yaml",
    "crds/extensions.agents.x-k8s.io_sandboxclaims.yaml",
    "crds/extensions.agents.x-k8s.io_sandboxtemplates.yaml",
    "crds/extensions.agents.x-k8s.io_sandboxwarmpools.yaml",
)
"""What upstream's two release files, sandbox.yaml and extensions.yaml, consist of, in their order."""


class ReleaseUnavailable(pulumi.RunError):
    """A release's manifest is neither in the cache nor to be had; the text says why and what helps."""


class ReleaseRefused(pulumi.RunError):
    """A release's manifest is not the one that was pinned; the text says why and what helps."""


def pin_command(version: str) -> str:
    """What shows and pins the release `version`."""
    return f"make release VERSION={version}"


@dataclass(frozen=True)
class Release:
    """One upstream release."""

    version: str
    sha256: str
    asset: str = ""
    """The asset of upstream's release page that is its manifest; empty if it is put together from the Go module."""
    router: str = ""
    """The release of the router's image; empty if it is this one."""

    @property
    def controller_image(self) -> str:
        return f"{REGISTRY}/agent-sandbox-controller:{self.version}"

    @property
    def router_image(self) -> str:
        return f"{REGISTRY}/sandbox-router-go:{self.router or self.version}"

    @property
    def manifest_path(self) -> Path:
        """Where the manifest lies, once `fetch` has put it there."""
        return CACHE / "manifests" / f"agent-sandbox-{self.version}.yaml"

    def fetch(self) -> None:
        """Have the manifest lie at manifest_path. Raises ReleaseUnavailable, or ReleaseRefused for another checksum."""
        path = self.manifest_path
        with locked(f"{path}.lock", lambda: say("Waiting for another run that fetches the release.")):
            if path.exists() and checksum(path.read_bytes()) == self.sha256:
                return
            content = read_asset(RELEASE_PAGE, self.version) if self.asset else self._assembled()
            if (actual := checksum(content)) != self.sha256:
                raise ReleaseRefused(
                    f"The manifest of Agent Sandbox {self.version} has the sha256 {actual}, and the pinned one is"
                    f" {self.sha256}.\n  Somebody changed one of the two; nothing was installed. See what it would"
                    f" change: {pin_command(self.version)}"
                )
            keep(path, content)

    def _assembled(self) -> bytes:
        folder = self._module() / "k8s"
        return "\n---\n".join((folder / file).read_text() for file in FILES).encode()

    def _module(self) -> Path:
        try:
            return building.module_folder(CHECKOUT / "toolchain" / "agent-sandbox", MODULE)
        except building.BuildFailed as error:
            raise ReleaseUnavailable(
                f"The manifest of Agent Sandbox {self.version} cannot be had: {error}.\n"
                "  Check the network and the Go module proxy, or give the stack a manifest of your own:\n"
                "  agent-sandbox:controller with manifest, sha256 and image."
            ) from error


def read_asset(place: str, version: str) -> bytes:
    """The asset of the release `version`, from a release page's address or a folder. Raises ReleaseUnavailable."""
    try:
        if not place.startswith("https://"):
            return (Path(place) / ASSET).read_bytes()
        with urllib.request.urlopen(f"{place}/{version}/{ASSET}", timeout=TIMEOUT) as response:
            content: bytes = response.read()
    except OSError as error:
        raise ReleaseUnavailable(
            f"{ASSET} of Agent Sandbox {version} cannot be had from {place}: {error}.\n"
            f"  Check the network, or download it elsewhere and name its folder: {pin_command(version)} FROM=folder"
        ) from error
    return content


def checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def keep(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)


def known() -> dict[str, Release]:
    """The releases pinned in releases.toml, by version."""
    return {version: Release(version, **pin) for version, pin in _pins()["releases"].items()}


def default() -> Release:
    return known()[_pins()["default"]]


def _pins() -> dict:  # type: ignore[type-arg]
    return tomllib.loads(PINS.read_text())
