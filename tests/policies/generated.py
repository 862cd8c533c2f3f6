"""Random pods, valid and broken in every check of the standard, and how a failing one is made small.

A pod is a base with changes: a failure shrinks by leaving changes out, down to those that matter.
"""

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.policies.cases import POD, Json

Change = tuple[str, Any]
"""A path, with * for a container's index that is chosen, and the value there; None deletes."""

LINUX = {"securityContext": POD["securityContext"], "containers": [
    {"name": "main", "image": "registry.example/app:v1", "securityContext": POD["containers"][0]["securityContext"]}
]}  # fmt: skip
BASES: dict[str, Json] = {
    "safe": LINUX,
    "plain": {"containers": [{"name": "main", "image": "registry.example/app:v1"}]},
    "in a user namespace": {**LINUX, "hostUsers": False},
    "on Windows": {
        "os": {"name": "windows"},
        "securityContext": {"runAsNonRoot": True},
        "containers": [{"name": "main", "image": "registry.example/app:v1"}],
    },
}

CAPABILITIES = ["NET_BIND_SERVICE", "CHOWN", "KILL", "MKNOD", "SYS_ADMIN", "NET_RAW", "SYS_PTRACE", "chown", "ALL"]
SYSCTLS = [
    "kernel.shm_rmid_forced",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_notsent_lowat",
    "net.ipv4.ip_forward",
    "kernel.msgmax",
    "net.core.somaxconn",
]
NEWER_SYSCTLS = {"net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat"}
"""Safe since Kubernetes 1.37; an older server refuses them."""

VOLUMES: list[Json] = [
    {},
    {"emptyDir": {}},
    {"configMap": {"name": "a"}},
    {"secret": {"secretName": "a"}},
    {"downwardAPI": {}},
    {"projected": {"sources": [{"configMap": {"name": "a"}}]}},
    {"persistentVolumeClaim": {"claimName": "a"}},
    {"ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}},
    {"csi": {"driver": "example.com"}},
    {"image": {"reference": "registry.example/model:v1"}},
    {"hostPath": {"path": "/var"}},
    {"nfs": {"server": "a", "path": "/"}},
    {"iscsi": {"targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:storage.disk1", "lun": 0}},
    {"gcePersistentDisk": {"pdName": "a"}},
    {"flexVolume": {"driver": "example.com/a"}},
    {"fc": {"targetWWNs": ["a"], "lun": 0}},
    {"rbd": {"monitors": ["a"], "image": "a"}},
    {"cephfs": {"monitors": ["a"]}},
    {"azureFile": {"secretName": "a", "shareName": "b"}},
    {"emptyDir": None, "hostPath": None},
]  # fmt: skip
SECCOMP: list[Any] = [
    {"type": "RuntimeDefault"},
    {"type": "Localhost", "localhostProfile": "a"},
    {"type": "Unconfined"},
    None,
]
BOOLEANS: list[Any] = [True, False, None]
HANDLERS: list[Json] = [
    {action: {"port": 80, **host}}
    for action in ("httpGet", "tcpSocket")
    for host in ({}, {"host": ""}, {"host": "127.0.0.1"}, {"host": "metadata.google.internal"}, {"host": None})
]
SELINUX: list[Any] = [
    None,
    {"type": ""},
    {"level": "s0"},
    *({"type": each} for each in ("container_t", "container_init_t", "container_kvm_t", "container_engine_t", "spc_t")),
    {"user": "system_u"},
    {"role": "system_r"},
    {"user": "", "role": ""},
]

CHOICES: list[tuple[str, Callable[[random.Random], Any]]] = [
    ("hostNetwork", lambda r: r.choice(BOOLEANS)),
    ("hostPID", lambda r: r.choice(BOOLEANS)),
    ("hostIPC", lambda r: r.choice(BOOLEANS)),
    ("hostUsers", lambda r: r.choice(BOOLEANS)),
    ("securityContext/runAsNonRoot", lambda r: r.choice(BOOLEANS)),
    ("securityContext/runAsUser", lambda r: r.choice([0, 1, 1000, None])),
    ("securityContext/seccompProfile", lambda r: r.choice(SECCOMP)),
    ("securityContext/seLinuxOptions", lambda r: r.choice(SELINUX)),
    ("securityContext/appArmorProfile", lambda r: r.choice(SECCOMP)),
    ("securityContext/windowsOptions", lambda r: {"hostProcess": r.choice(BOOLEANS)}),
    ("securityContext/sysctls", lambda r: [{"name": name, "value": "1"} for name in r.sample(SYSCTLS, r.randint(0, 2))]),
    ("securityContext", lambda r: r.choice([None, {}])),
    ("volumes", lambda r: [{"name": f"v{i}", **each} for i, each in enumerate(r.sample(VOLUMES, r.randint(0, 3)))]),
    ("annotations", lambda r: {r.choice(["container.apparmor.security.beta.kubernetes.io/main", "other/key"]): r.choice(
        ["runtime/default", "localhost/a", "unconfined"])}),
    ("*/securityContext", lambda r: r.choice([None, {}])),
    ("*/securityContext/privileged", lambda r: r.choice(BOOLEANS)),
    ("*/securityContext/allowPrivilegeEscalation", lambda r: r.choice(BOOLEANS)),
    ("*/securityContext/runAsNonRoot", lambda r: r.choice(BOOLEANS)),
    ("*/securityContext/runAsUser", lambda r: r.choice([0, 1, 1000, None])),
    ("*/securityContext/procMount", lambda r: r.choice(["Default", "Unmasked", None])),
    ("*/securityContext/capabilities", lambda r: r.choice([None, {}])),
    ("*/securityContext/capabilities/add", lambda r: r.sample(CAPABILITIES, r.randint(0, 2))),
    ("*/securityContext/capabilities/drop", lambda r: r.sample(["ALL", "all", "KILL", "NET_RAW"], r.randint(0, 2))),
    ("*/securityContext/seccompProfile", lambda r: r.choice(SECCOMP)),
    ("*/securityContext/seLinuxOptions", lambda r: r.choice(SELINUX)),
    ("*/securityContext/appArmorProfile", lambda r: r.choice(SECCOMP)),
    ("*/securityContext/windowsOptions", lambda r: {"hostProcess": r.choice(BOOLEANS)}),
    ("*/ports", lambda r: [{"containerPort": 80, "hostPort": r.choice([0, 80, None])}]),
    ("*/livenessProbe", lambda r: r.choice(HANDLERS)),
    ("*/readinessProbe", lambda r: r.choice(HANDLERS)),
    ("*/startupProbe", lambda r: r.choice(HANDLERS)),
    ("*/lifecycle/postStart", lambda r: r.choice(HANDLERS)),
    ("*/lifecycle/preStop", lambda r: r.choice(HANDLERS)),
]  # fmt: skip
"""For each field that a check looks at, what it may be."""


class Generated:
    """A base and changes to it, and the pod that they make."""

    def __init__(self, base: str, containers: int, inits: int, changes: Sequence[Change]) -> None:
        self.base = base
        self.containers = containers
        self.inits = inits
        self.changes = list(changes)

    @property
    def spec(self) -> Json:
        spec = copy.deepcopy(BASES[self.base])
        first = spec["containers"][0]
        spec["containers"] += [{**copy.deepcopy(first), "name": f"main-{i}"} for i in range(self.containers - 1)]
        if self.inits:
            spec["initContainers"] = [{**copy.deepcopy(first), "name": f"init-{i}"} for i in range(self.inits)]
        for path, value in self.changes:
            if path != "annotations":
                _set(spec, path.split("/"), copy.deepcopy(value))
        return spec

    @property
    def metadata(self) -> Json:
        annotations = {
            key: each for path, value in self.changes if path == "annotations" for key, each in value.items()
        }
        return {"annotations": annotations} if annotations else {}

    def smaller(self) -> Iterator["Generated"]:
        for index in range(len(self.changes)):
            yield Generated(self.base, self.containers, self.inits, self.changes[:index] + self.changes[index + 1 :])
        if self.inits and not any("initContainers" in path for path, _ in self.changes):
            yield Generated(self.base, self.containers, 0, self.changes)
        last = f"containers/{self.containers - 1}/"
        if self.containers > 1 and not any(path.startswith(last) for path, _ in self.changes):
            yield Generated(self.base, self.containers - 1, self.inits, self.changes)

    def __repr__(self) -> str:
        return f"a pod that is {self.base}, with {self.containers}+{self.inits} containers, and {dict(self.changes)}"


def _set(spec: Any, fields: list[str], value: Any) -> None:
    target = spec
    for field in fields[:-1]:
        if isinstance(target, list):
            target = target[int(field)]
        else:
            if target.get(field) is None:
                target[field] = {}
            target = target[field]
    target[fields[-1]] = value


def generate(seed: int) -> Iterator[Generated]:
    """Pods without end, the same for the same seed."""
    source = random.Random(seed)  # noqa: S311 - no secret
    while True:
        base = source.choices(list(BASES), [5, 2, 2, 1])[0]
        containers, inits = source.choice([1, 1, 2]), source.choice([0, 0, 1])
        changes = []
        for path, choose in source.sample(CHOICES, source.choice([0, 1, 1, 2, 3, 5])):
            if path.startswith("*/"):
                where = source.choice(
                    [f"containers/{i}" for i in range(containers)] + [f"initContainers/{i}" for i in range(inits)]
                )
                path = where + path[1:]  # noqa: PLW2901 - a container is chosen
            changes.append((path, choose(source)))
        yield Generated(base, containers, inits, changes)


def shrink(one: Generated, fails: Callable[[Generated], bool]) -> Generated:
    """The smallest pod made from `one` that still fails."""
    for smaller in one.smaller():
        if fails(smaller):
            return shrink(smaller, fails)
    return one
