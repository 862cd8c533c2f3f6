"""What can be repaired without changing what a pod may do beyond what its policy asks anyway.

Each repair is left out where the API server would then refuse the pod: Windows pods know none of these fields, and a
privileged container, or one with SYS_ADMIN, cannot forgo privilege escalation.
"""

from collections.abc import Callable, Mapping
from typing import Any

from policies.objects import Object
from policies.pods import CONTAINER_LISTS
from policies.values import SENTINELS, get
from policies.workloads import SANDBOX_KINDS, templates

Repair = Callable[[dict[str, Any], Mapping[str, Any]], None]
"""Changes a pod spec in place; the second argument is its template's metadata."""

_ESCALATING = frozenset({"SYS_ADMIN", "CAP_SYS_ADMIN", "ALL", *SENTINELS})


def repaired(one: Object, repairs: tuple[Repair, ...]) -> dict[str, Any] | None:
    """A copy of an object's data with every pod spec repaired; None where nothing changed."""
    copied = _copy(one.data)
    found = templates(Object(one.type, copied, one.name, one.namespace, patch=one.patch))
    for _, template in found:
        spec, metadata = get(template, "spec"), get(template, "metadata")
        if isinstance(spec, dict) and get(spec, "os", "name") in (None, "linux"):
            for repair in repairs:
                repair(spec, metadata if isinstance(metadata, Mapping) else {})
    return copied if found and copied != one.data else None


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value


def _containers(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = [spec.get(field) for field in CONTAINER_LISTS]
    return [each for entries in listed if isinstance(entries, list) for each in entries if isinstance(each, dict)]


def _security(holder: dict[str, Any]) -> dict[str, Any] | None:
    """The securityContext to write to; None where it is unknown or no map."""
    if holder.get("securityContext") is None:
        holder["securityContext"] = {}
    found = holder["securityContext"]
    return found if isinstance(found, dict) else None


def no_privilege_escalation(spec: dict[str, Any], _: Mapping[str, Any]) -> None:
    for container in _containers(spec):
        security = _security(container)
        if security is None or security.get("allowPrivilegeEscalation") not in (None, True, False):
            continue  # unknown yet, or malformed
        added = get(security, "capabilities", "add") or []
        known = isinstance(added, list) and all(isinstance(each, str) for each in added)
        if known and security.get("privileged") in (None, False) and not _ESCALATING & set(added):
            security["allowPrivilegeEscalation"] = False


def drop_all_capabilities(spec: dict[str, Any], _: Mapping[str, Any]) -> None:
    for container in _containers(spec):
        security = _security(container)
        if security is None:
            continue
        capabilities = security.get("capabilities")
        if capabilities is None:
            security["capabilities"] = {"drop": ["ALL"]}
        elif isinstance(capabilities, dict):
            dropped = capabilities.get("drop")
            if dropped is None or (isinstance(dropped, list) and "ALL" not in dropped):
                capabilities["drop"] = ["ALL"]


def runtime_default_seccomp(spec: dict[str, Any], metadata: Mapping[str, Any]) -> None:
    """For the pod, which its containers inherit. A pod that still has the old annotation must agree with it."""
    annotations = get(metadata, "annotations")
    security = _security(spec)
    annotated = any("seccomp.security.alpha" in str(key) for key in annotations or ())
    if security is not None and security.get("seccompProfile") is None and not annotated:
        security["seccompProfile"] = {"type": "RuntimeDefault"}


def no_token(spec: dict[str, Any], _: Mapping[str, Any]) -> None:
    if spec.get("automountServiceAccountToken") is None:
        spec["automountServiceAccountToken"] = False


REPAIRS: dict[str, tuple[Repair, ...]] = {
    "pod-security-restricted": (no_privilege_escalation, drop_all_capabilities, runtime_default_seccomp),
    "sandbox-hardening": (no_token,),
}
"""By the policy whose level `remediate` asks for them."""


def remediate(policy: str, one: Object) -> dict[str, Any] | None:
    """The object's data as the policy would have it; None where there is nothing to repair."""
    if policy == "sandbox-hardening" and one.kind not in SANDBOX_KINDS:
        return None
    return repaired(one, REPAIRS[policy])
