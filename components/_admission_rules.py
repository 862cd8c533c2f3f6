"""What admission asks of Sandboxes and SandboxTemplates, in CEL, by the names that the policy pack has for it.

Expressions see the pod spec as `variables.spec`, all its containers as `variables.containers`, and the
parameters, texts of a ConfigMap, as `params.data`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A demand: the expression is true where it is met."""

    expression: str
    message: str


VARIABLES = {
    "spec": "object.spec.podTemplate.spec",
    "containers": (
        "variables.spec.?containers.orValue([]) + variables.spec.?initContainers.orValue([])"
        " + variables.spec.?ephemeralContainers.orValue([])"
    ),
    "volumes": "variables.spec.?volumes.orValue([])",
    "tolerations": "variables.spec.?tolerations.orValue([])",
    "nonRoot": "variables.spec.?securityContext.?runAsNonRoot.orValue(false)",
    "seccomp": "variables.spec.?securityContext.?seccompProfile.?type.orValue('')",
}

VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
"""What the restricted Pod Security Standard allows. A component must not need the policy pack, so it is written here
too; tests/unit/test_sandboxes.py holds the two together.
"""

_GVISOR = "sandbox.gke.io/runtime"


def _every(condition: str) -> str:
    return f"variables.containers.all(c, {condition})"


POD_RULES = {
    "runtimeClass": Rule(
        "variables.spec.?runtimeClassName.orValue('') in params.data.runtimeClasses.split(',')",
        "runtimeClassName is none of the classes that isolate the kernel",
    ),
    "gvisorScheduling": Rule(
        "variables.spec.?runtimeClassName.orValue('') != 'gvisor' ||"
        f" (variables.spec.?nodeSelector[?'{_GVISOR}'].orValue('') == 'gvisor' &&"
        f" variables.tolerations.exists(t, t.?key.orValue('') == '{_GVISOR}' &&"
        " (t.?operator.orValue('Equal') == 'Exists' || t.?value.orValue('') == 'gvisor') &&"
        " t.?effect.orValue('NoSchedule') in ['', 'NoSchedule']))",
        f"nodeSelector and tolerations do not lead to nodes with {_GVISOR}=gvisor",
    ),
    "broadToleration": Rule(
        "variables.tolerations.all(t, t.?key.orValue('') != '')",
        "a toleration names no key, so it fits every taint",
    ),
    "nodeName": Rule("variables.spec.?nodeName.orValue('') == ''", "nodeName passes over the scheduler"),
    "hostNamespaces": Rule(
        "!variables.spec.?hostNetwork.orValue(false) && !variables.spec.?hostPID.orValue(false) &&"
        " !variables.spec.?hostIPC.orValue(false)",
        "hostNetwork, hostPID and hostIPC are not all false",
    ),
    "serviceAccountToken": Rule(
        "variables.spec.?automountServiceAccountToken.orValue(true) == false",
        "automountServiceAccountToken is not false",
    ),
    "projectedCredentials": Rule(
        "variables.volumes.all(v, v.?projected.?sources.orValue([]).all(s,"
        " !has(s.serviceAccountToken) && !has(s.clusterTrustBundle) && !has(s.podCertificate)))",
        "a projected volume holds credentials of the cluster",
    ),
    "restrictedVolumes": Rule(
        f"variables.volumes.all(v, {' || '.join(f'has(v.{each})' for each in VOLUMES)})",
        f"a volume is none of {', '.join(VOLUMES)}",
    ),
    "anySysctls": Rule(
        "size(variables.spec.?securityContext.?sysctls.orValue([])) == 0",
        "securityContext.sysctls is not empty",
    ),
    "anyHostPorts": Rule(
        _every("c.?ports.orValue([]).all(p, !has(p.hostPort))"),
        "a container's port has a hostPort",
    ),
    "privileged": Rule(_every("!c.?securityContext.?privileged.orValue(false)"), "a container is privileged"),
    "allowPrivilegeEscalation": Rule(
        _every("c.?securityContext.?allowPrivilegeEscalation.orValue(true) == false"),
        "a container's allowPrivilegeEscalation is not false",
    ),
    "capabilities_restricted": Rule(
        _every("'ALL' in c.?securityContext.?capabilities.?drop.orValue([])"),
        "a container does not drop ALL capabilities",
    ),
    "addedCapabilities": Rule(
        _every("size(c.?securityContext.?capabilities.?add.orValue([])) == 0"),
        "a container adds capabilities",
    ),
    "runAsNonRoot": Rule(
        _every("c.?securityContext.?runAsNonRoot.orValue(variables.nonRoot)"),
        "a container may run as root: runAsNonRoot is not true",
    ),
    "runAsUser": Rule(
        "variables.spec.?securityContext.?runAsUser.orValue(1) != 0 &&"
        f" {_every('c.?securityContext.?runAsUser.orValue(1) != 0')}",
        "runAsUser is 0, root",
    ),
    "seccompProfile_restricted": Rule(
        _every(
            "c.?securityContext.?seccompProfile.?type.orValue(variables.seccomp) in ['RuntimeDefault', 'Localhost']"
        ),
        "a container has no seccomp profile: neither RuntimeDefault nor Localhost",
    ),
    "procMount_restricted": Rule(
        _every("c.?securityContext.?procMount.orValue('Default') == 'Default'"),
        "a container unmasks /proc",
    ),
    "resourceLimits": Rule(
        _every("params.data.limits.split(',').all(name, c.?resources.?limits[?name].hasValue())"),
        "a container leaves one of the required limits out",
    ),
    "imagePinned": Rule(
        _every(
            "c.image.matches('@sha256:[0-9a-f]{64}$') || c.image.matches(':[^/:]+$') && !c.image.matches(':latest')"
        ),
        "an image has neither a release's tag nor a digest",
    ),
    "allowedRegistry": Rule(
        "params.data.registries == '' || "
        + _every("params.data.registries.split(',').exists(r, c.image.startsWith(r + '/'))"),
        "an image comes from none of the allowed registries",
    ),
}

_KEYS = "key.startsWith('agents.x-k8s.io/') || key.startsWith('extensions.agents.x-k8s.io/')"

TEMPLATE_RULES = {
    "reservedLabels": Rule(
        f"!object.spec.podTemplate.?metadata.?labels.orValue({{}}).exists(key, {_KEYS}) &&"
        f" !object.spec.podTemplate.?metadata.?annotations.orValue({{}}).exists(key, {_KEYS})",
        "the pod template sets labels or annotations that are the controller's",
    ),
    "claimOverrides": Rule(
        "object.spec.?envVarsInjectionPolicy.orValue('') != 'Overrides' &&"
        " object.spec.?volumeClaimTemplatesPolicy.orValue('') != 'Overrides'",
        "claims may override what the template decides",
    ),
    "managedNetworkPolicy": Rule(
        "object.spec.?networkPolicyManagement.orValue('Managed') == 'Managed'",
        "networkPolicyManagement is not Managed",
    ),
}

_HELD = "params.data.namespaces.split(',')"

_SUBJECTS = "request.userInfo.username == 'system:apiserver' || object.?subjects.orValue([]).all(s, "
"""The API server makes its own bindings again at each start."""

BINDING_RULES = {
    "accountBinding": Rule(
        f"{_SUBJECTS}!(s.kind == 'ServiceAccount' && s.?namespace.orValue('') in {_HELD}) &&"
        f" !(s.kind == 'User' && {_HELD}.exists(n, s.name.startsWith('system:serviceaccount:' + n + ':'))))",
        "it would give rights to a service account that sandboxes may run as",
    ),
    "groupBinding": Rule(
        f"{_SUBJECTS}!(s.kind == 'Group' && (s.name == 'system:serviceaccounts' ||"
        f" {_HELD}.exists(n, s.name == 'system:serviceaccounts:' + n))))",
        "it would give rights to a group of the service accounts that sandboxes may run as",
    ),
}
"""Of RoleBindings and ClusterRoleBindings, wherever they are."""

RULES = {**POD_RULES, **TEMPLATE_RULES, **BINDING_RULES}
