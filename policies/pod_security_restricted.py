"""What the restricted Pod Security Standard adds to the baseline, as of Kubernetes 1.37, by its checks' names."""

from collections.abc import Iterator

from policies.controls import Hit, Parameters, Topic, depending_on, untold
from policies.pod_security_baseline import PROFILES, in_user_namespace, unlisted, unmasked
from policies.pods import Pod
from policies.values import UNKNOWN, get, mappings
from policies.workloads import PARAMETERS

TOPIC = Topic(
    "pod-security-restricted",
    "Pods, wherever they are declared, meet the restricted Pod Security Standard",
    "pods",
    framework="Kubernetes Pod Security Standards 1.37, restricted",
    url="https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted",
    parameters=PARAMETERS,
)

VOLUMES = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)


@TOPIC.control(
    "allowPrivilegeEscalation",
    severity="high",
    risk="A setuid program in the image makes its caller root.",
    fix="Set allowPrivilegeEscalation: false.",
)
def allow_privilege_escalation(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """Every container says allowPrivilegeEscalation: false, but for Windows pods."""
    yield from depending_on(_on_windows(pod), _escalating(pod))


def _escalating(pod: Pod) -> Iterator[Hit]:
    for path, container in pod.containers:
        value = get(container, "securityContext", "allowPrivilegeEscalation")
        field = f"{path}.securityContext.allowPrivilegeEscalation"
        if value is UNKNOWN:
            yield untold(path if container is UNKNOWN else field)
        elif value is not False:
            yield Hit(field, "is not false")


@TOPIC.control(
    "capabilities_restricted",
    severity="high",
    risk="What is not dropped may be used to break out.",
    fix='Set capabilities.drop: ["ALL"], and add none but NET_BIND_SERVICE.',
)
def capabilities(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """Every container drops ALL capabilities and adds none but NET_BIND_SERVICE, but for Windows pods."""
    yield from depending_on(_on_windows(pod), not_dropped(pod))
    yield from depending_on(_on_windows(pod), _added(pod))


def not_dropped(pod: Pod) -> Iterator[Hit]:
    """The containers that do not drop ALL capabilities."""
    for path, container in pod.containers:
        dropped = get(container, "securityContext", "capabilities", "drop")
        field = f"{path}.securityContext.capabilities.drop"
        if dropped is UNKNOWN:
            yield untold(path if container is UNKNOWN else field)
        elif "ALL" not in (dropped or ()):
            yield untold(field) if UNKNOWN in (dropped or ()) else Hit(field, 'does not hold "ALL"')


def _added(pod: Pod) -> Iterator[Hit]:
    allowed = frozenset({"NET_BIND_SERVICE"})
    for path, added in pod.each("securityContext", "capabilities", "add"):
        yield from unlisted(path, added, allowed, "adds a capability that is not NET_BIND_SERVICE")


@TOPIC.control(
    "procMount_restricted",
    severity="high",
    risk="An unmasked /proc shows and changes the kernel that the pod runs on.",
    fix="Remove the field.",
)
def proc_mount(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """/proc is masked, whatever the user namespace."""
    yield from unmasked(pod)


@TOPIC.control(
    "restrictedVolumes",
    severity="medium",
    risk="Other kinds of volumes run drivers on the node as root, or reach storage past its access control.",
    fix="Use one of the kinds that the standard allows; for other storage a persistentVolumeClaim.",
)
def restricted_volumes(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """Volumes are configMap, csi, downwardAPI, emptyDir, ephemeral, image, persistentVolumeClaim, projected or secret.

    One with no source at all is an emptyDir, by the API server's default.
    """
    for path, volume in mappings(pod.get("volumes"), pod.at("volumes")):
        if volume is UNKNOWN:
            yield untold(path)
            continue
        sources = {key: value for key, value in volume.items() if key != "name"}
        if VOLUMES & sources.keys():
            continue
        for name, value in sources.items():
            yield untold(f"{path}.{name}") if value is UNKNOWN else Hit(f"{path}.{name}", "is not an allowed kind")


@TOPIC.control(
    "runAsNonRoot",
    severity="high",
    risk="Root in the container is root on the node, as soon as anything else gives way.",
    fix="Set runAsNonRoot: true for the pod, and an image or runAsUser that is not root.",
)
def run_as_non_root(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """Every container says runAsNonRoot: true, itself or through its pod, and none says false."""
    yield from depending_on(in_user_namespace(pod), root_possible(pod))


def root_possible(pod: Pod) -> Iterator[Hit]:
    """Where runAsNonRoot is false, or missing for a container."""
    of_pod = pod.get("securityContext", "runAsNonRoot")
    at_pod = pod.at("securityContext", "runAsNonRoot")
    if of_pod is UNKNOWN:
        yield untold(at_pod)
    elif of_pod is False:
        yield Hit(at_pod, "is false")
    for path, container in pod.containers:
        own = get(container, "securityContext", "runAsNonRoot")
        field = f"{path}.securityContext.runAsNonRoot"
        if own is UNKNOWN:
            yield untold(path if container is UNKNOWN else field)
        elif own is False:
            yield Hit(field, "is false")
        elif own is None and of_pod is None:
            yield Hit(field, "is not true, and the pod does not say it either")


@TOPIC.control(
    "runAsUser",
    severity="high",
    risk="User 0 is root, in the container and, as soon as anything else gives way, on the node.",
    fix="Set another user, or none.",
)
def run_as_user(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No pod and no container runs as user 0, but with a user namespace of its own."""
    yield from depending_on(in_user_namespace(pod), root_user(pod))


def root_user(pod: Pod) -> Iterator[Hit]:
    """Where runAsUser is 0."""
    for path, value in pod.settings("runAsUser"):
        if value is UNKNOWN:
            yield untold(path)
        elif value == 0:
            yield Hit(path, "is 0")


@TOPIC.control(
    "seccompProfile_restricted",
    severity="high",
    risk="Without a profile every system call of the node's kernel is open to attack.",
    fix="Set seccompProfile.type: RuntimeDefault for the pod.",
)
def seccomp(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """Every container has a seccomp profile, RuntimeDefault or Localhost, itself or through its pod, but on Windows."""
    yield from depending_on(_on_windows(pod), _unconfined(pod))


def _unconfined(pod: Pod) -> Iterator[Hit]:
    of_pod = get(pod.spec, "securityContext", "seccompProfile", "type")
    given = pod.get("securityContext", "seccompProfile")
    if given is not None and of_pod is not UNKNOWN and of_pod not in PROFILES:
        yield Hit(pod.at("securityContext", "seccompProfile", "type"), "is neither RuntimeDefault nor Localhost")
    elif of_pod is UNKNOWN:
        yield untold(pod.at("securityContext", "seccompProfile", "type"))
    for path, container in pod.containers:
        profile = get(container, "securityContext", "seccompProfile")
        own = get(profile, "type")
        field = f"{path}.securityContext.seccompProfile.type"
        if own is UNKNOWN:
            yield untold(path if container is UNKNOWN else field)
        elif profile is not None and own not in PROFILES:
            yield Hit(field, "is neither RuntimeDefault nor Localhost")
        elif profile is None and of_pod is None:
            yield Hit(field, "is not set, and neither is the pod's")


def _on_windows(pod: Pod) -> object:
    name = pod.get("os", "name")
    return UNKNOWN if name is UNKNOWN else name == "windows"
