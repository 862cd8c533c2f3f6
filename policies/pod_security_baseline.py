"""The baseline Pod Security Standard, as of Kubernetes 1.37: each control is the standard's check of that name."""

from collections.abc import Iterator

from policies.controls import Hit, Parameters, Topic, depending_on, untold
from policies.pods import Pod
from policies.values import UNKNOWN, child, get, mappings
from policies.workloads import PARAMETERS

TOPIC = Topic(
    "pod-security-baseline",
    "Pods, wherever they are declared, meet the baseline Pod Security Standard",
    "pods",
    framework="Kubernetes Pod Security Standards 1.37, baseline",
    url="https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline",
    parameters=PARAMETERS,
)

CAPABILITIES = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
"""Those that container runtimes grant by default."""

SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
        "net.ipv4.tcp_slow_start_after_idle",
        "net.ipv4.tcp_notsent_lowat",
    }
)
"""Those that are namespaced and harm nobody else on the node; the last two since 1.37."""

SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
PROFILES = frozenset({"RuntimeDefault", "Localhost"})
APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"


@TOPIC.control(
    "hostNamespaces",
    severity="critical",
    risk="The pod sees the node's network, processes or shared memory as its own, the metadata server included.",
    fix="Remove the field.",
)
def host_namespaces(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No pod shares the host's network, process or IPC namespace."""
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        value = pod.get(field)
        if value is UNKNOWN:
            yield untold(pod.at(field))
        elif value:
            yield Hit(pod.at(field), "is true")


@TOPIC.control(
    "privileged",
    severity="critical",
    risk="A privileged container owns the node: its devices, its kernel, and every other pod on it.",
    fix="Remove the field; grant the single capability that is needed, if one is.",
)
def privileged(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No container is privileged."""
    for path, value in pod.each("securityContext", "privileged"):
        if value is UNKNOWN:
            yield untold(path)
        elif value:
            yield Hit(path, "is true")


@TOPIC.control(
    "capabilities_baseline",
    severity="high",
    risk="Capabilities beyond the runtime's default ones reach the host's network, mounts or kernel.",
    fix="Remove what is not among the runtime's default capabilities.",
)
def capabilities(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No container adds a capability beyond those that container runtimes grant by default."""
    for path, added in pod.each("securityContext", "capabilities", "add"):
        yield from unlisted(path, added, CAPABILITIES, "adds a capability that is not among the runtime's default ones")


@TOPIC.control(
    "hostPathVolumes",
    severity="critical",
    risk="The pod reads or writes the node's own files, and through its sockets and credentials the whole node.",
    fix="Use an emptyDir, a configMap, a secret or a persistentVolumeClaim.",
)
def host_path_volumes(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No volume is a path of the host."""
    for path, volume in mappings(pod.get("volumes"), pod.at("volumes")):
        source = get(volume, "hostPath")
        if source is UNKNOWN:
            yield untold(path if volume is UNKNOWN else f"{path}.hostPath")
        elif source is not None:
            yield Hit(f"{path}.hostPath", "mounts a path of the node")


@TOPIC.control(
    "hostPorts",
    severity="high",
    risk="A port of the node leads past every network policy, and keeps other pods from it.",
    fix="Remove hostPort; a Service or the router leads to the pod.",
)
def host_ports(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No container takes a port of the host."""
    for path, listed in pod.each("ports"):
        for where, port in mappings(listed, path):
            value = get(port, "hostPort")
            if value is UNKNOWN:
                yield untold(where if port is UNKNOWN else f"{where}.hostPort")
            elif value:
                yield Hit(f"{where}.hostPort", "is a port of the node")


@TOPIC.control(
    "hostProbesAndHostLifecycle",
    severity="medium",
    risk="The kubelet calls an address of the author's choosing, from the node's network, past network policies.",
    fix="Remove host: without it the kubelet calls the pod itself.",
)
def host_probes(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No probe and no lifecycle hook names a host."""
    handlers = (
        ("livenessProbe",),
        ("readinessProbe",),
        ("startupProbe",),
        ("lifecycle", "postStart"),
        ("lifecycle", "preStop"),
    )
    for handler in handlers:
        for action in ("httpGet", "tcpSocket"):
            for path, value in pod.each(*handler, action, "host"):
                if value is UNKNOWN:
                    yield untold(path)
                elif value:
                    yield Hit(path, "names a host for the node to call")


@TOPIC.control(
    "appArmorProfile",
    severity="high",
    risk="Without its AppArmor profile a container may mount, trace and write what the profile keeps it from.",
    fix="Remove the field, or set RuntimeDefault or Localhost.",
)
def app_armor(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """AppArmor is not switched off: a profile is RuntimeDefault or Localhost."""
    yield from _profiles(pod, "appArmorProfile")
    annotations = get(pod.metadata, "annotations")
    where = f"{pod.path}.metadata.annotations".lstrip(".")
    if annotations is UNKNOWN:
        yield untold(where)
        return
    for key, value in (annotations or {}).items():
        if not key.startswith(APPARMOR_ANNOTATION):
            continue
        if value is UNKNOWN:
            yield untold(child(where, key))
        elif value and value != "runtime/default" and not value.startswith("localhost/"):
            yield Hit(child(where, key), "switches AppArmor off")


@TOPIC.control(
    "seLinuxOptions",
    severity="high",
    risk="Another SELinux type, user or role may grant what the container's own keeps it from.",
    fix="Remove user and role, and leave type unset or one of the container types.",
)
def se_linux(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """SELinux options leave user and role unset, and their type is one for containers."""
    for field, allowed in (("type", SELINUX_TYPES), ("user", {""}), ("role", {""})):
        for path, value in pod.settings("seLinuxOptions", field):
            if value is UNKNOWN:
                yield untold(path)
            elif value not in allowed:
                yield Hit(path, "is not one of the types for containers" if field == "type" else "is set")


@TOPIC.control(
    "procMount",
    severity="high",
    risk="An unmasked /proc shows and changes the node's kernel.",
    fix="Remove the field, or set hostUsers: false for the pod.",
)
def proc_mount(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """/proc is masked, but for pods with a user namespace of their own."""
    yield from depending_on(in_user_namespace(pod), unmasked(pod))


@TOPIC.control(
    "seccompProfile_baseline",
    severity="high",
    risk="Unconfined, every system call of the node's kernel is open to attack.",
    fix="Remove the field, or set RuntimeDefault or Localhost.",
)
def seccomp(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """Seccomp is not switched off: a profile is RuntimeDefault or Localhost."""
    yield from _profiles(pod, "seccompProfile")


@TOPIC.control(
    "sysctls",
    severity="high",
    risk="Other kernel parameters weaken isolation, or harm every pod on the node.",
    fix="Remove those that are not among the safe ones of the standard.",
)
def sysctls(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """Only safe kernel parameters are set."""
    path = pod.at("securityContext", "sysctls")
    for where, entry in mappings(pod.get("securityContext", "sysctls"), path):
        name = get(entry, "name")
        if name is UNKNOWN:
            yield untold(where if entry is UNKNOWN else f"{where}.name")
        elif name not in SYSCTLS:
            yield Hit(f"{where}.name", "is not among the safe kernel parameters")


@TOPIC.control(
    "windowsHostProcess",
    severity="critical",
    risk="A HostProcess container runs as a process of the Windows node itself.",
    fix="Remove the field.",
)
def windows_host_process(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No Windows container is a process of the host."""
    for path, value in pod.settings("windowsOptions", "hostProcess"):
        if value is UNKNOWN:
            yield untold(path)
        elif value:
            yield Hit(path, "is true")


def unlisted(path: str, values: object, allowed: frozenset[str], problem: str) -> Iterator[Hit]:
    """A hit for each entry of a list that is not among the `allowed`."""
    if not isinstance(values, list):
        yield untold(path)
        return
    for index, value in enumerate(values):
        if value is UNKNOWN:
            yield untold(f"{path}[{index}]")
        elif value not in allowed:
            yield Hit(f"{path}[{index}]", problem)


def unmasked(pod: Pod) -> Iterator[Hit]:
    for path, value in pod.each("securityContext", "procMount"):
        if value is UNKNOWN:
            yield untold(path)
        elif value != "Default":
            yield Hit(path, "is not Default")


def in_user_namespace(pod: Pod) -> object:
    """Whether root in the pod is nobody on the node; UNKNOWN where that is not known."""
    value = pod.get("hostUsers")
    return UNKNOWN if value is UNKNOWN else value is False


def _profiles(pod: Pod, field: str) -> Iterator[Hit]:
    """A profile that is given has a type, and it is not one that switches it off."""
    for path, profile in pod.settings(field):
        kind = get(profile, "type")
        if kind is UNKNOWN:
            yield untold(path if profile is UNKNOWN else f"{path}.type")
        elif kind not in PROFILES:
            yield Hit(f"{path}.type", "is neither RuntimeDefault nor Localhost")
