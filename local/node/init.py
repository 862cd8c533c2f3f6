"""The box's first process: mounts, network and firewall, then the node's daemons, for as long as they are wanted.

Runs inside, as process 1 of the box's own process ids: when it ends, the kernel ends everything in
the box and takes its mounts, links and firewall rules down with it.
"""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from local.node import config
from local.node.config import HOME
from local.paths import State

PAUSE = 1.0
"""Seconds before a daemon that ended is started again."""

KERNEL_SETTINGS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops")
"""What the kubelet sets for the whole machine, which is not this node's alone."""


@dataclass
class Daemon:
    """A program of the node, which is to run as long as the node does."""

    name: str
    command: list[str]
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with (HOME / "logs" / f"{self.name}.log").open("ab") as log:
            log.write(f"\n--- {time.strftime('%FT%TZ', time.gmtime())} {' '.join(self.command)}\n".encode())
            log.flush()
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def mount_file_systems(state: State) -> None:
    """Give the box its own view: the node's folder at HOME, its own /run, its own control groups."""
    run("mount", "--make-rprivate", "/")
    home = os.open(config.folder(state), os.O_PATH)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/log")
    HOME.mkdir()
    subprocess.run(["mount", "--bind", f"/proc/self/fd/{home}", str(HOME)], pass_fds=[home], check=True)
    os.close(home)
    for folder in ("bin", "logs", "pods", "cni", "kubelet"):
        (HOME / folder).mkdir(exist_ok=True)
    run("mount", "-t", "sysfs", "sysfs", "/sys")
    mount_cgroups()
    cover(Path("/var/lib"))
    for name in KERNEL_SETTINGS:
        shield(Path("/proc/sys") / name)
    run("mount", "--make-rshared", "/")


def cover(folder: Path) -> None:
    """Let `folder` be read as it is, and keep in the box what is written: kubelet and CNI have fixed places there."""
    layers = {name: HOME.with_name("covered") / name for name in ("upper", "work")}
    for layer in layers.values():
        layer.mkdir(parents=True)
    options = f"lowerdir={folder},upperdir={layers['upper']},workdir={layers['work']}"
    run("mount", "-t", "overlay", "-o", options, "overlay", str(folder))


def mount_cgroups() -> None:
    """Mount each hierarchy anew: the box's own group is its root, by the box's cgroup namespace."""
    top = Path("/sys/fs/cgroup")
    hierarchies = [line.split(":", 2)[1] for line in Path("/proc/self/cgroup").read_text().splitlines()]
    v1 = [controllers for controllers in hierarchies if controllers]
    if not v1:
        run("mount", "-t", "cgroup2", "cgroup2", str(top))
        return
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(top))
    for controllers in v1:
        folder = top / controllers.removeprefix("name=")
        folder.mkdir()
        options = controllers if not controllers.startswith("name=") else f"none,{controllers}"
        run("mount", "-t", "cgroup", "-o", options, "cgroup", str(folder))
        for controller in controllers.split(","):
            if "," in controllers:
                (top / controller).symlink_to(controllers)


def hand_on_controllers() -> None:
    """In cgroup v2 a group has either processes or controllers to hand on: move out of the way, then hand on."""
    top = Path("/sys/fs/cgroup")
    if not (top / "cgroup.controllers").exists():
        return
    (top / "init").mkdir(exist_ok=True)
    (top / "init" / "cgroup.procs").write_text("0")
    offered = (top / "cgroup.controllers").read_text().split()
    deadline = time.monotonic() + 10
    while True:
        try:
            (top / "cgroup.subtree_control").write_text(" ".join(f"+{each}" for each in offered))
        except OSError:  # the keeper has not moved yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def shield(setting: Path) -> None:
    """Put a file of the box's own over `setting`, so that writing to it changes nothing outside."""
    if setting.exists():
        copy = HOME / "kernel" / setting.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(setting.read_text())
        run("mount", "--bind", str(copy), str(setting))


def set_up_network() -> None:
    """Addresses on the box's loopback, no IPv6, and nothing through until the policies are there.

    kube-router accepts what a policy allows before these last rules are reached; a pod that it does not
    know yet gets to them. They drop rather than refuse: the pod tries again a second later, and most programs
    would take a refusal for the answer.
    """
    run("ip", "link", "set", "lo", "up")
    for address in (config.NODE_ADDRESS, config.API_ADDRESS):
        run("ip", "address", "add", f"{address}/32", "dev", "lo")
    for name, value in {
        "ipv4/ip_forward": "1",
        "ipv6/conf/all/disable_ipv6": "1",
        "ipv6/conf/default/disable_ipv6": "1",
    }.items():
        setting = Path("/proc/sys/net") / name
        if setting.exists():
            setting.write_text(value)
    for chain in ("INPUT", "FORWARD"):
        run("iptables", "-A", chain, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT")
        run("iptables", "-A", chain, "-s", config.POD_SUBNET, "-j", "DROP")


def daemons() -> list[Daemon]:
    """In the order of their start. kube-router ends until it finds the node that the kubelet announces."""
    kubeconfig = HOME / "etc"
    return [
        Daemon("containerd", ["containerd", f"--config={HOME}/etc/containerd.toml"]),
        Daemon(
            "kubelet",
            [
                "kubelet",
                f"--config={HOME}/etc/kubelet.yaml",
                f"--kubeconfig={kubeconfig}/kubelet.kubeconfig",
                f"--hostname-override={config.NAME}",
                f"--node-ip={config.NODE_ADDRESS}",
                f"--node-labels={','.join(config.LABELS)}",
                f"--root-dir={HOME}/kubelet",
                f"--cert-dir={HOME}/kubelet/pki",
                f"--volume-plugin-dir={HOME}/kubelet/plugins-exec",
            ],
        ),
        Daemon(
            "kube-router",
            [
                "kube-router",
                "--run-router=false",
                "--run-service-proxy=false",
                "--run-firewall=true",
                "--enable-cni=false",
                f"--kubeconfig={kubeconfig}/kube-router.kubeconfig",
                f"--hostname-override={config.NAME}",
                f"--service-cluster-ip-range={config.NO_BINDING_SUBNET}",
                f"--service-node-port-range={config.NO_BINDING_PORT}",
                "--iptables-sync-period=1m",
                "--health-port=0",
                "--metrics-port=0",
            ],
        ),
    ]


def watch(running: list[Daemon]) -> None:
    """Bury the dead, as a first process must, and start daemons again, until told to stop."""
    while True:
        ended, _ = os.wait()
        for daemon in running:
            if daemon.process is not None and daemon.process.pid == ended:
                time.sleep(PAUSE)
                daemon.start()


def main(state: State) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    mount_file_systems(state)
    hand_on_controllers()
    os.environ["PATH"] = f"{HOME}/bin:{os.environ['PATH']}:/usr/sbin:/sbin"
    set_up_network()
    started = daemons()
    for daemon in started:
        daemon.start()
    watch(started)


if __name__ == "__main__":
    main(State(Path(sys.argv[1])))
