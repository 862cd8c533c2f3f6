"""What a stack file leaves out about its sandboxes, and the names in it that nothing bears.

Over the plain values of a stack file, wrong ones included: those are left for the check to report.
"""

from collections.abc import Callable, Mapping
from typing import Any

from components import Problem
from components._arguments import show, similar


def sandbox_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of namespaces, templates, pools, claims, sandboxes, access and admission, each entry filled in."""
    filled: dict[str, Any] = {}
    namespace = values["namespace"]
    filled["namespaces"] = _with_own(values.get("namespaces", {}), namespace)
    here = {"namespace": namespace}
    for key in ("templates", "sandboxes"):
        filled[key] = _each_filled(values.get(key, {}), lambda _: here)
    filled["warmPools"] = _each_filled(values.get("warmPools", {}), _place_of(filled["templates"], "template", here))
    filled["claims"] = _each_filled(values.get("claims", {}), _place_of(filled["warmPools"], "pool", here))
    filled["access"] = _each_filled(values.get("access", {}), lambda _: {"sandboxNamespaces": [namespace]})
    made = list(filled["namespaces"]) if isinstance(filled["namespaces"], Mapping) else [namespace]
    everywhere = {"namespaces": made}
    filled["admission"] = _each_filled(
        values.get("admission", {}), lambda entry: {} if "namespaceLabels" in entry else everywhere
    )
    return filled


def _with_own(namespaces: Any, own: str) -> Any:
    """The namespaces and the stack's own one, which needs no entry."""
    return {own: {}, **namespaces} if isinstance(namespaces, Mapping) else namespaces


def _place_of(entries: Any, field: str, otherwise: dict[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Where an entry lives by default: where that one lives which its `field` names."""

    def place(entry: Mapping[str, Any]) -> dict[str, Any]:
        named = entry.get(field)
        other = entries.get(named) if isinstance(entries, Mapping) and isinstance(named, str) else None
        return {"namespace": other["namespace"]} if isinstance(other, Mapping) else otherwise

    return place


def _each_filled(entries: Any, defaults: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Any:
    if not isinstance(entries, Mapping):
        return entries
    return {name: {**defaults(each), **each} if isinstance(each, Mapping) else each for name, each in entries.items()}


def broken_references(values: Mapping[str, Any], project: str) -> list[Problem]:
    """Names that nothing bears: a pool's template, a claim's pool, a namespace."""
    problems = _dangling(values, project, "warmPools", "template", "templates", "The pool would never fill.")
    problems += _dangling(values, project, "claims", "pool", "warmPools", "The claim would never be bound.")
    for key in ("templates", "warmPools", "claims", "sandboxes"):
        problems += _dangling(values, project, key, "namespace", "namespaces", "There would be nowhere to put it.")
    problems += _apart(values, project, "warmPools", "template", "templates", "The pool would never fill.")
    problems += _apart(values, project, "claims", "pool", "warmPools", "The claim would never be bound.")
    return problems + _applications_among_sandboxes(values, project)


def _entries(values: Mapping[str, Any], key: str) -> dict[str, Mapping[str, Any]]:
    """The entries of a map that are maps themselves; what is not is reported by the check of types."""
    entries = values[key] if isinstance(values[key], Mapping) else {}
    return {name: entry for name, entry in entries.items() if isinstance(entry, Mapping)}


def _apart(
    values: Mapping[str, Any], project: str, key: str, field: str, target: str, consequence: str
) -> list[Problem]:
    targets, problems = _entries(values, target), []
    for name, entry in _entries(values, key).items():
        other = targets.get(str(entry.get(field)))
        if other is not None and other.get("namespace") != entry.get("namespace"):
            where = f"{project}:{key}.{name}.namespace"
            wrong = f"is not the namespace of {entry[field]}, {other.get('namespace')}"
            problems.append(Problem(where, show(entry.get("namespace")), wrong, f"{consequence} Leave it out."))
    return problems


def _applications_among_sandboxes(values: Mapping[str, Any], project: str) -> list[Problem]:
    """Accounts in a namespace of sandboxes, and rights in one that holds none."""
    namespaces, problems = _entries(values, "namespaces"), []
    for name, entry in _entries(values, "access").items():
        key = f"{project}:access.{name}"
        if entry.get("namespace") in namespaces:
            remedy = "A sandbox there could be given its account. Name the namespace of the application."
            problems.append(Problem(f"{key}.namespace", show(entry["namespace"]), "is one of the sandboxes'", remedy))
        listed = entry.get("sandboxNamespaces")
        for index, each in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(each, str) and each not in namespaces:
                remedy = f"No right would come of it. {similar(each, namespaces)}"
                where = f"{key}.sandboxNamespaces[{index}]"
                problems.append(Problem(where, show(each), "is not one of the namespaces", remedy))
    return problems


def _dangling(
    values: Mapping[str, Any], project: str, key: str, field: str, target: str, consequence: str
) -> list[Problem]:
    names = list(values[target]) if isinstance(values[target], Mapping) else []
    problems = []
    for name, entry in _entries(values, key).items():
        given = entry.get(field)
        if isinstance(given, str) and given not in names:
            remedy = f"{consequence} Correct the name, or add it under {project}:{target}. {similar(given, names)}"
            problems.append(
                Problem(f"{project}:{key}.{name}.{field}", show(given), f"is not one of the {target}", remedy)
            )
    return problems
