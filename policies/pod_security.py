"""Rules of the restricted Pod Security Standard, as pure functions over a pod spec."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.values import UNKNOWN, Unknown
from policies.workloads import containers


@dataclass(frozen=True)
class Violation:
    """What is wrong with a field, by its path in the pod spec, or what cannot be told yet."""

    field: str
    message: str
    unknown: bool = False


Rule = Callable[[Any], Iterator[Violation]]


def run_as_non_root(spec: Any) -> Iterator[Violation]:
    """Every container says runAsNonRoot: true, itself or through its pod, and none says false."""
    pod = _get(spec, "securityContext", "runAsNonRoot")
    if pod is UNKNOWN:
        yield _untold("securityContext.runAsNonRoot")
    elif pod is False:
        yield Violation("securityContext.runAsNonRoot", "is false; set it to true, so that no container runs as root")
    for path, container in containers(spec) if isinstance(spec, Mapping) else [("", spec)]:
        own = _get(container, "securityContext", "runAsNonRoot")
        field = f"{path}.securityContext.runAsNonRoot"
        if own is UNKNOWN:
            yield _untold(field)
        elif own is False or (own is None and pod is None):
            yield Violation(field, "is not true; set it, here or for the pod, so that the container cannot run as root")


def drop_all_capabilities(spec: Any) -> Iterator[Violation]:
    """Every container drops ALL capabilities and adds none but NET_BIND_SERVICE."""
    for path, container in containers(spec) if isinstance(spec, Mapping) else [("", spec)]:
        dropped = _get(container, "securityContext", "capabilities", "drop")
        field = f"{path}.securityContext.capabilities"
        if dropped is UNKNOWN or (dropped and UNKNOWN in dropped and "ALL" not in dropped):
            yield _untold(f"{field}.drop")
        elif "ALL" not in (dropped or []):
            yield Violation(
                f"{field}.drop", 'does not hold "ALL"; add it, since what is not dropped may be used to break out'
            )
        added = _get(container, "securityContext", "capabilities", "add")
        if added is UNKNOWN or UNKNOWN in (added or []):
            yield _untold(f"{field}.add")
        elif excess := sorted(set(added or []) - {"NET_BIND_SERVICE"}):
            yield Violation(f"{field}.add", f"holds {', '.join(excess)}; only NET_BIND_SERVICE may be added")


RULES: dict[str, Rule] = {
    "run-as-non-root": run_as_non_root,
    "drop-all-capabilities": drop_all_capabilities,
}


def _untold(field: str) -> Violation:
    return Violation(field, "is not known before the update; give it a plain value", unknown=True)


def _get(value: Any, *fields: str) -> Any:
    """The value at `fields`; None where it, or what it would be in, is absent or null."""
    for field in fields:
        if isinstance(value, Unknown):
            return UNKNOWN
        value = value.get(field) if isinstance(value, Mapping) else None
    return value
