"""The upstream releases that a stack can install, and where their manifests come from.

A release's manifest is put together from upstream's Go module, which any Go module proxy serves and
go.sum verifies, and kept in the per-user cache; releases.toml pins its checksum.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pulumi

from local import building
from local.bootstrap import locked
from local.console import say
from local.paths import CACHE, CHECKOUT

MODULE = "sigs.k8s.io/agent-sandbox"
REGISTRY = "registry.k8s.io/agent-sandbox"

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


@dataclass(frozen=True)
class Release:
    """One upstream release."""

    version: str
    sha256: str

    @property
    def controller_image(self) -> str:
        return f"{REGISTRY}/agent-sandbox-controller:{self.version}"

    @property
    def router_image(self) -> str:
        return f"{REGISTRY}/sandbox-router-go:{self.version}"

    @property
    def manifest_path(self) -> Path:
        """Where the manifest lies, once `fetch` has put it there."""
        return CACHE / "manifests" / f"agent-sandbox-{self.version}.yaml"

    def fetch(self) -> None:
        """Make the manifest if it is not there. Raises ReleaseUnavailable if upstream's module cannot be had."""
        path = self.manifest_path
        with locked(f"{path}.lock", lambda: say("Waiting for another run that fetches the release.")):
            if not path.exists():
                folder = self._module() / "k8s"
                partial = path.with_suffix(".partial")
                partial.write_text("\n---\n".join((folder / file).read_text() for file in FILES))
                partial.replace(path)

    def _module(self) -> Path:
        try:
            return building.module_folder(CHECKOUT / "toolchain" / "agent-sandbox", MODULE)
        except building.BuildFailed as error:
            raise ReleaseUnavailable(
                f"The manifest of Agent Sandbox {self.version} cannot be had: {error}.\n"
                "  Check the network and the Go module proxy, or give the stack a manifest of your own:\n"
                "  agent-sandbox:controller with manifest, sha256 and image."
            ) from error


def known() -> dict[str, Release]:
    """The releases pinned in releases.toml, by version."""
    return {version: Release(version, pin["sha256"]) for version, pin in _pins()["releases"].items()}


def default() -> Release:
    return known()[_pins()["default"]]


def _pins() -> dict:  # type: ignore[type-arg]
    return tomllib.loads((CHECKOUT / "releases.toml").read_text())
