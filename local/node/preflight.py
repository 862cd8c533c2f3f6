"""What a machine must have for a real node, tried out where that is possible, and said all at once.

Nothing is started and nothing stays: what is tried is tried in namespaces that are gone a moment later.
"""

import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.node import cgroups, packages
from local.paths import State

CAP_SYS_RESOURCE = 24
HIDDEN_FOLDERS = ("/run", "/var/log", "/sys", "/proc")
"""The box has its own of these, so nothing of the deployment may lie there."""
COMMANDS = {"unshare": "util-linux", "setpriv": "util-linux", "mount": "mount", "ip": "iproute2", "tar": "tar"}
"""The Debian package of each program that is used as it is on the machine."""
V1_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids")
LEAST_CORES = 2
LEAST_MEMORY = 4 << 30
BOX = ("unshare", "--mount", "--cgroup", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class Finding:
    """Something that the machine lacks."""

    what: str
    follows: str
    """What follows from it, and what to do."""
    stops: bool = True
    """Whether a node is impossible, or merely not what it could be."""

    def __str__(self) -> str:
        return f"{self.what}.\n    {self.follows}"


def examine(state: State) -> list[Finding]:
    """Everything that this machine lacks, for a node of the deployment in `state`."""
    if platform.system() != "Linux":
        return [Finding(f"This is {platform.system()}", "gVisor and containers need Linux; use a virtual machine.")]
    if os.geteuid() != 0:
        return [
            Finding(
                "You are not root", "Namespaces, mounts and a firewall are root's to make: sudo make up NODE=gvisor"
            )
        ]
    found = [*_folder(state), *_commands(), *_size(), *_cgroups(), *_packages(), *_rights()]
    if not any(each.stops for each in found):
        found += _tried(state)
    return found


def may_lower_oom_score() -> bool:
    """Whether this process has CAP_SYS_RESOURCE."""
    status = Path("/proc/self/status").read_text()
    effective = re.search(r"^CapEff:\s*(\w+)$", status, re.MULTILINE)
    return effective is not None and bool(int(effective[1], 16) >> CAP_SYS_RESOURCE & 1)


def _folder(state: State) -> Iterator[Finding]:
    for path in (state.root, Path(packages.HOME)):
        hidden = next((each for each in HIDDEN_FOLDERS if path.is_relative_to(each)), None)
        if hidden:
            yield Finding(
                f"{path} lies under {hidden}",
                "The node has a folder of its own there. Put it elsewhere with AGENT_SANDBOX_STATE, or "
                "AGENT_SANDBOX_CACHE for the cache.",
            )


def _commands() -> Iterator[Finding]:
    lacking = {name: package for name, package in COMMANDS.items() if shutil.which(name) is None}
    if lacking:
        wanted = " ".join(sorted(set(lacking.values())))
        yield Finding(f"{', '.join(lacking)} not on PATH", f"Install: apt-get install {wanted}")


def _size() -> Iterator[Finding]:
    cores, memory = psutil.cpu_count() or 1, psutil.virtual_memory().total
    if cores < LEAST_CORES:
        yield Finding(
            f"There is {cores} core",
            "Two controllers and two routers ask for one of their own; nothing else would fit.",
        )
    if memory < LEAST_MEMORY:
        yield Finding(
            f"There are {memory >> 20} MiB of memory",
            "Control plane and node take about 2 GiB, each sandbox asks for 256 MiB.",
        )


def _cgroups() -> Iterator[Finding]:
    if cgroups.is_v2():
        offered = (cgroups.MOUNT / "cgroup.controllers").read_text().split()
        wanted: tuple[str, ...] = cgroups.V2_CONTROLLERS
    else:
        offered = [each for names in cgroups.hierarchies() for each in names.split(",")]
        wanted = V1_CONTROLLERS
    if lacking := [each for each in wanted if each not in offered]:
        yield Finding(
            f"No cgroup controllers {', '.join(lacking)}",
            "No limit of a container would hold. Mount them, or boot the kernel with them enabled.",
        )
    elif not cgroups.is_v2():
        yield Finding(
            "Control groups are v1",
            "The kubelet is told to put up with it; Kubernetes means to drop v1, so the machine should move to v2.",
            stops=False,
        )


def _packages() -> Iterator[Finding]:
    lacking = packages.missing()
    if lacking and not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        yield Finding(
            f"No {', '.join(lacking)}",
            f"This is no Debian, so they cannot be fetched. Install the packages: {' '.join(lacking)}",
        )


def _rights() -> Iterator[Finding]:
    if not may_lower_oom_score():
        yield Finding(
            "This process lacks CAP_SYS_RESOURCE",
            "gVisor's own containerd shim needs it, so runsc runs under containerd's: no terminal in a sandbox, and\n"
            "    one that is killed for its memory says exit code 255 rather than OOMKilled. Isolation is the same.",
            stops=False,
        )


def _tried(state: State) -> Iterator[Finding]:
    """What only trying tells: namespaces, overlay mounts, the firewall's parts of the kernel."""
    if said := _fails("true"):
        yield Finding(
            f"The namespaces of a node cannot be made ({said})",
            "Inside a container, run that one privileged; else the kernel lacks them.",
        )
        return
    state.root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=state.root.parent, prefix=".overlay-") as folder:
        for layer in ("lower", "upper", "work", "merged"):
            (Path(folder) / layer).mkdir()
        options = "lowerdir=lower,upperdir=upper,workdir=work"
        if said := _fails(f"cd {shlex.quote(folder)} && mount -t overlay -o {options} overlay merged"):
            yield Finding(
                f"No overlay file system on {state.root.parent} ({said})",
                "Containers' files are layers there. Put the state on another file system with AGENT_SANDBOX_STATE.",
            )
    if not packages.missing():
        yield from firewall()


def firewall() -> Iterator[Finding]:
    """Whether the kernel has what the network policies are enforced with; the packages are there."""
    programs = packages.find()
    iptables, ipset = (shlex.quote(str(programs[name])) for name in ("iptables", "ipset"))
    script = (
        f"{ipset} create try hash:ip timeout 0 && {iptables} -A INPUT -m set --match-set try src -j REJECT"
        f" && {iptables} -A INPUT -m conntrack --ctstate ESTABLISHED -m comment --comment x -j MARK --set-xmark 1/1"
        f" && {iptables} -A FORWARD -p tcp -m addrtype --dst-type LOCAL -m multiport --dports 1,2 -j RETURN"
    )
    if said := _fails(script):
        yield Finding(
            f"The kernel lacks a part of the firewall ({said})",
            "No network policy could be enforced. Load nf_tables, ip_set, xt_set, xt_conntrack and xt_mark.",
        )


def _fails(script: str) -> str:
    """What `script` says when it fails in a box of its own; empty if it succeeds."""
    ended = subprocess.run([*BOX, "sh", "-c", script], capture_output=True, text=True, check=False)
    if ended.returncode == 0:
        return ""
    return (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
