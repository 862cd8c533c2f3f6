"""Which programs the embedded default needs, where each is pinned, and which other versions will do.

A version is written in one place, toolchain/<source>/go.mod. How a tool is come by is toolchain.py's.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import semver

from local.building import FAST_COMPILE, FULL_COMPILE, LEAST_COMPILE, Source
from local.console import Failure
from local.paths import CACHE, CHECKOUT

SOURCES = CHECKOUT / "toolchain"
TOOLS_CACHE = CACHE / "tools"

Version = semver.VersionInfo
Fits = Callable[[Version, Version], bool]


def _exactly(found: Version, pinned: Version) -> bool:
    return found == pinned


def _same_minor(found: Version, pinned: Version) -> bool:
    return found[:2] == pinned[:2]


def _one_minor_apart(found: Version, pinned: Version) -> bool:
    """Kubernetes' version skew policy for kubectl."""
    return found.major == pinned.major and abs(found.minor - pinned.minor) <= 1


def _at_least(found: Version, pinned: Version) -> bool:
    return found.major == pinned.major and found >= pinned


@dataclass(frozen=True)
class Tool:
    """A program, where its source is pinned, and which other versions of it will do."""

    name: str
    source: Source
    package: str
    version: str
    fits: Fits
    version_arguments: tuple[str, ...] = ("--version",)

    @property
    def home(self) -> Path:
        """Where the cache keeps it; another pin, or another way to build it, is another folder."""
        return TOOLS_CACHE / f"{self.name}-{self.version}-{_digest(self.source)}"


def pinned(source: str, module: str) -> str:
    """The version of `module` in toolchain/<source>/go.mod."""
    text = (SOURCES / source / "go.mod").read_text()
    match = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", text, re.MULTILINE)
    if match is None:
        raise Failure(f"toolchain/{source}/go.mod does not require {module}; restore the file from git.")
    return match[1]


def _digest(source: Source) -> str:
    content = hashlib.sha256(" ".join((*source.compiler_flags, *source.tags.split())).encode())
    for file in sorted(source.folder.iterdir()):
        content.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return content.hexdigest()[:8]


def _kubernetes_source(version: str) -> Source:
    return Source(SOURCES / "kubernetes", f"-X k8s.io/component-base/version.gitVersion={version}")


def _kubernetes() -> list[Tool]:
    version = pinned("kubernetes", "k8s.io/kubernetes")
    source = _kubernetes_source(version)
    servers = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    return [
        *(Tool(name, source, f"k8s.io/kubernetes/cmd/{name}", version, _same_minor) for name in servers),
        Tool("kubectl", source, "k8s.io/kubernetes/cmd/kubectl", version, _one_minor_apart, ("version", "--client")),
    ]


def _kwok() -> list[Tool]:
    version = pinned("kwok", "sigs.k8s.io/kwok")
    source = Source(SOURCES / "kwok")
    return [Tool(name, source, f"sigs.k8s.io/kwok/cmd/{name}", version, _same_minor) for name in ("kwokctl", "kwok")]


def _etcd() -> list[Tool]:
    module = "go.etcd.io/etcd/server/v3"
    return [Tool("etcd", Source(SOURCES / "etcd"), module, pinned("etcd", module), _same_minor)]


def _pulumi() -> list[Tool]:
    version = pinned("pulumi", "github.com/pulumi/pulumi/pkg/v3")
    stamp = f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}"
    # Every command starts it several times, so it is worth its compile time; but for the clouds'
    # libraries, API descriptions and the like, which a file backend never calls.
    unused = ("github.com/aws/...", "github.com/Azure/...", "github.com/pb33f/...", "github.com/alecthomas/...")
    flags = (f"all={FULL_COMPILE}", *(f"{package}={LEAST_COMPILE}" for package in unused))
    source = Source(SOURCES / "pulumi", stamp, flags)
    return [Tool("pulumi", source, "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", version, _at_least, ("version",))]


PROVIDER = "pulumi-resource-kubernetes"
PROVIDER_BUILT = "v4.23.0"
"""The release that the commit in toolchain/pulumi-kubernetes/go.mod is of."""


def _provider() -> list[Tool]:
    # It links the whole generated Go SDK, half of its compile time, for components not used here.
    unused = f"github.com/pulumi/pulumi-kubernetes/sdk/...={LEAST_COMPILE}"
    stamp = f"-X main.version={PROVIDER_BUILT.removeprefix('v')}"
    source = Source(SOURCES / "pulumi-kubernetes", stamp, (f"all={FAST_COMPILE}", unused))
    package = "agent-sandbox/toolchain/pulumi-kubernetes"
    return [Tool(PROVIDER, source, package, PROVIDER_BUILT, _at_least)]


def _agent_sandbox() -> list[Tool]:
    module = "sigs.k8s.io/agent-sandbox"
    version = pinned("agent-sandbox", module)
    source = Source(SOURCES / "agent-sandbox", f"-X {module}/internal/version.gitVersion={version}")
    return [
        Tool("agent-sandbox-controller", source, f"{module}/cmd/agent-sandbox-controller", version, _exactly),
        Tool("sandbox-router", source, f"{module}/sandbox-router/cmd", version, _exactly),
    ]


def _kubelet() -> list[Tool]:
    version = pinned("kubernetes", "k8s.io/kubernetes")
    return [Tool("kubelet", _kubernetes_source(version), "k8s.io/kubernetes/cmd/kubelet", version, _same_minor)]


def _containerd() -> list[Tool]:
    module = "github.com/containerd/containerd/v2"
    version = pinned("containerd", module)
    # Snapshotters that need a file system or a tool of their own; overlayfs is the one used here.
    left_out = "no_btrfs no_devmapper no_zfs no_aufs urfave_cli_no_docs"
    source = Source(SOURCES / "containerd", f"-X {module}/version.Version={version}", tags=left_out)
    names = ("containerd", "containerd-shim-runc-v2", "ctr")
    return [Tool(name, source, f"{module}/cmd/{name}", version, _same_minor) for name in names]


def _gvisor() -> list[Tool]:
    module = "gvisor.dev/gvisor"
    version = pinned("gvisor", module)
    # It links to functions of Go's runtime by name, and some of its own may not grow a stack: the flags are
    # the ones that it is released with.
    stamp = f"-checklinkname=0 -X {module}/runsc/version.version={version}"
    source = Source(SOURCES / "gvisor", stamp, (f"all={FULL_COMPILE}",))
    return [
        Tool("runsc", source, f"{module}/runsc", version, _exactly),
        Tool("containerd-shim-runsc-v1", source, f"{module}/shim", version, _exactly, ("-v",)),
    ]


def _cni() -> list[Tool]:
    module = "github.com/containernetworking/plugins"
    version = pinned("cni", module)
    packages = {"ptp": "main/ptp", "host-local": "ipam/host-local", "loopback": "main/loopback"}
    source = Source(SOURCES / "cni", f"-X {module}/pkg/utils/buildversion.BuildVersion={version}")
    return [Tool(name, source, f"{module}/plugins/{path}", version, _at_least) for name, path in packages.items()]


def _kube_router() -> list[Tool]:
    module = "github.com/cloudnativelabs/kube-router"
    version = pinned("kube-router", module)
    source = Source(SOURCES / "kube-router", f"-X {module}/pkg/version.Version={version}")
    return [Tool("kube-router", source, f"{module}/cmd/kube-router", version, _exactly)]


def _crane() -> list[Tool]:
    module = "github.com/google/go-containerregistry"
    version = pinned("crane", module)
    source = Source(SOURCES / "crane", f"-X {module}/cmd/crane/cmd.Version={version}")
    return [Tool("crane", source, f"{module}/cmd/crane", version, _at_least, ("version",))]


def _pause() -> list[Tool]:
    source = Source(SOURCES / "pause")
    return [Tool("pause", source, "agent-sandbox/toolchain/pause", "v1.0.0", _exactly)]


def node_tools() -> list[Tool]:
    """What a real node needs beyond `all_tools`; never fetched or built unless such a node is asked for."""
    return [*_pause(), *_crane(), *_cni(), *_containerd(), *_gvisor(), *_kube_router(), *_kubelet()]


def all_tools() -> list[Tool]:
    """Every tool, a prerequisite of a download before what is downloaded with it."""
    return [*_kwok(), *_kubernetes(), *_etcd(), *_pulumi(), *_provider(), *_agent_sandbox()]
