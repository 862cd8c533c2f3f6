"""What sandboxes must be beyond restricted Pod Security: the threat model's demands, for templates as well.

Upstream's own admission policy looks at Sandboxes only; here what is asked of a Sandbox is asked of the
SandboxTemplate that it is made from. What the topics pod-security-baseline and -restricted already ask is left to them.
"""

from collections.abc import Iterator

from policies.controls import Hit, Parameters, Topic, untold
from policies.pod_security_restricted import root_possible, root_user
from policies.pods import Pod
from policies.values import UNKNOWN, child, get, mappings

TOPIC = Topic(
    "sandbox-hardening",
    "Sandboxes and their templates keep untrusted code from the kernel, the API server and each other",
    "sandboxes",
    framework="Agent Sandbox threat model",
    url="https://github.com/kubernetes-sigs/agent-sandbox/blob/main/docs/security/threat_model.md",
    parameters={
        "runtimeClasses": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["gvisor", "kata-qemu", "kata-clh", "kata-qemu-nvidia-gpu"],
            "description": "Runtime classes that put a kernel of their own between the code and the node.",
        },
        "limits": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["cpu", "memory"],
            "description": "Resources that every container must limit; ephemeral-storage is worth adding.",
        },
    },
)

GVISOR_LABEL = "sandbox.gke.io/runtime"
RESERVED = ("agents.x-k8s.io/", "extensions.agents.x-k8s.io/")
CREDENTIALS = ("serviceAccountToken", "clusterTrustBundle", "podCertificate")


@TOPIC.control(
    "runtimeClass",
    severity="critical",
    risk="The code shares the node's kernel, and one kernel bug away are all other sandboxes of the node.",
    fix="Set runtimeClassName: gvisor, or another of the configured runtimeClasses.",
)
def runtime_class(pod: Pod, parameters: Parameters) -> Iterator[Hit]:
    """A sandbox runs under a runtime class that isolates the kernel."""
    value = pod.get("runtimeClassName")
    if value is UNKNOWN:
        yield untold(pod.at("runtimeClassName"))
    elif value is None:
        yield Hit(pod.at("runtimeClassName"), "is not set")
    elif value not in parameters["runtimeClasses"]:
        yield Hit(pod.at("runtimeClassName"), "is not one of the runtime classes that isolate the kernel")


@TOPIC.control(
    "gvisorScheduling",
    severity="medium",
    risk="The scheduler may choose a node without gVisor, where the sandbox never starts; GKE refuses such a template.",
    fix="Set nodeSelector sandbox.gke.io/runtime: gvisor, and a toleration for the taint of that key and value.",
)
def gvisor_scheduling(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """A gVisor sandbox selects the nodes that have gVisor, and tolerates their taint."""
    if pod.get("runtimeClassName") != "gvisor":
        return
    selected = get(pod.spec, "nodeSelector", GVISOR_LABEL)
    where = child(pod.at("nodeSelector"), GVISOR_LABEL)
    if selected is UNKNOWN:
        yield untold(where)
    elif selected != "gvisor":
        yield Hit(where, "is not gvisor")
    tolerations = list(mappings(pod.get("tolerations"), pod.at("tolerations")))
    if not any(_tolerates(each) for _, each in tolerations):
        unknown = any(each is UNKNOWN or UNKNOWN in each.values() for _, each in tolerations)
        field = pod.at("tolerations")
        yield untold(field) if unknown else Hit(field, f"does not tolerate the taint {GVISOR_LABEL}=gvisor:NoSchedule")


def _tolerates(toleration: object) -> bool:
    key, operator, value, effect = (get(toleration, name) for name in ("key", "operator", "value", "effect"))
    fits = key == GVISOR_LABEL and (operator == "Exists" or (operator in (None, "", "Equal") and value == "gvisor"))
    return fits and effect in (None, "", "NoSchedule")


@TOPIC.control(
    "broadToleration",
    severity="medium",
    risk="The sandbox may land among the control plane's or other tenants' pods.",
    fix="Tolerate the one taint that is meant, by its key.",
)
def broad_toleration(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No toleration fits every taint."""
    for path, each in mappings(pod.get("tolerations"), pod.at("tolerations")):
        key, operator = get(each, "key"), get(each, "operator")
        if key is UNKNOWN:
            yield untold(path)
        elif not key and operator == "Exists":
            yield Hit(path, "tolerates every taint")


@TOPIC.control(
    "nodeName",
    severity="medium",
    risk="The scheduler is passed over, and with it taints, selectors and the room on the node.",
    fix="Remove nodeName; select nodes by label.",
)
def node_name(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No sandbox names its node."""
    value = pod.get("nodeName")
    if value is UNKNOWN:
        yield untold(pod.at("nodeName"))
    elif value:
        yield Hit(pod.at("nodeName"), "is set")


@TOPIC.control(
    "serviceAccountToken",
    severity="high",
    risk="Whatever runs in the sandbox speaks to the API server as its service account.",
    fix="Set automountServiceAccountToken: false; the controller defaults it for templates only.",
)
def service_account_token(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """A sandbox says automountServiceAccountToken: false."""
    value = pod.get("automountServiceAccountToken")
    if value is UNKNOWN:
        yield untold(pod.at("automountServiceAccountToken"))
    elif value is not False:
        yield Hit(pod.at("automountServiceAccountToken"), "is not false")


@TOPIC.control(
    "projectedCredentials",
    severity="high",
    risk="A projected token or certificate is an identity for whatever runs in the sandbox.",
    fix="Remove the source.",
)
def projected_credentials(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No projected volume holds a service account token, a cluster trust bundle or a pod certificate."""
    for path, volume in mappings(pod.get("volumes"), pod.at("volumes")):
        for where, source in mappings(get(volume, "projected", "sources"), f"{path}.projected.sources"):
            if source is UNKNOWN:
                yield untold(where)
                continue
            for name in CREDENTIALS:
                if source.get(name) is not None:
                    yield Hit(f"{where}.{name}", "is a credential")


@TOPIC.control(
    "addedCapabilities",
    severity="high",
    risk="Each capability is a way out that untrusted code need not find by itself.",
    fix="Remove capabilities.add.",
)
def added_capabilities(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No container of a sandbox adds a capability, not even NET_BIND_SERVICE."""
    for path, added in pod.each("securityContext", "capabilities", "add"):
        if added is UNKNOWN:
            yield untold(path)
        elif added:
            yield Hit(path, "is not empty")


@TOPIC.control(
    "resourceLimits",
    severity="medium",
    risk="One sandbox starves the others on its node.",
    fix="Set the limit for each container.",
)
def resource_limits(pod: Pod, parameters: Parameters) -> Iterator[Hit]:
    """Every container of a sandbox limits its CPU and memory."""
    for path, container in pod.containers:
        if container is UNKNOWN:
            yield untold(path)
            continue
        limits = get(container, "resources", "limits")
        for name in parameters["limits"]:
            if limits is UNKNOWN:
                yield untold(f"{path}.resources.limits")
                break
            if get(limits, name) is None:
                yield Hit(child(f"{path}.resources.limits", name), "is not set")


@TOPIC.control(
    "rootInUserNamespace",
    severity="medium",
    risk="Root in a user namespace still reaches the kernel code that only root reaches.",
    fix="Set runAsNonRoot: true and a user other than 0, whatever hostUsers says.",
)
def root_in_user_namespace(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No sandbox runs as root, not even with hostUsers: false, which exempts from the standard's checks."""
    if pod.get("hostUsers") is False:
        yield from root_possible(pod)
        yield from root_user(pod)


@TOPIC.control(
    "anySysctls",
    severity="medium",
    risk="Kernel parameters are the platform's to choose, not the code's.",
    fix="Remove securityContext.sysctls.",
)
def any_sysctls(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No sandbox sets kernel parameters, not even safe ones."""
    value = pod.get("securityContext", "sysctls")
    field = pod.at("securityContext", "sysctls")
    if value is UNKNOWN:
        yield untold(field)
    elif value:
        yield Hit(field, "is not empty")


@TOPIC.control(
    "anyHostPorts",
    severity="medium",
    risk="What is written as 0 today is a number after the next edit; upstream's policy refuses the field itself.",
    fix="Remove the field hostPort.",
)
def any_host_ports(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No port of a sandbox has the field hostPort."""
    for path, listed in pod.each("ports"):
        for where, port in mappings(listed, path):
            if get(port, "hostPort") is not None:
                yield untold(where) if port is UNKNOWN else Hit(f"{where}.hostPort", "is set")


@TOPIC.control(
    "reservedLabels",
    severity="high",
    risk="Requests for another sandbox are sent to this one, by a label that only the controller may set.",
    fix="Remove the label or annotation.",
)
def reserved_labels(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """No pod template sets labels or annotations under agents.x-k8s.io/, which are the controller's."""
    for field in ("labels", "annotations"):
        where = f"{pod.path}.metadata.{field}"
        found = get(pod.metadata, field)
        if found is UNKNOWN:
            yield untold(where)
            continue
        for key in found or {}:
            if key.startswith(RESERVED):
                yield Hit(child(where, key), "is reserved for the controller")


@TOPIC.control(
    "claimOverrides",
    severity="medium",
    kinds=("SandboxTemplate",),
    risk="Whoever may claim a sandbox replaces what the template's author decided.",
    fix="Set Disallowed, or Allowed where claims must add something.",
)
def claim_overrides(pod: Pod, _: Parameters) -> Iterator[Hit]:
    """Claims do not override a template's environment or volumes."""
    for field in ("envVarsInjectionPolicy", "volumeClaimTemplatesPolicy"):
        value = get(pod.owner.data, "spec", field)
        if value is UNKNOWN:
            yield untold(f"spec.{field}")
        elif value == "Overrides":
            yield Hit(f"spec.{field}", "is Overrides")
