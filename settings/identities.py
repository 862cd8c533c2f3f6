"""Who a sandbox is to Google Cloud, in a stack file: a template or a sandbox names an identity.

Its pods then run as the identity's service account, live in its namespace, and reach the metadata server,
from which Workload Identity hands out that account's tokens and no others. An identity is for one of them:
two that shared it would have each other's rights.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired

from components import Problem, SandboxArgs, SandboxTemplateArgs
from components._arguments import arguments, show, similar

PREFIX = "agent-sandbox:"
ENTRIES = ("templates", "sandboxes")
"""The keys whose entries may name an identity."""

Values = Mapping[str, Any]


@arguments(extends=SandboxTemplateArgs)
class TemplateEntry(SandboxTemplateArgs):
    """The component's arguments, and who its sandboxes are."""

    identity: NotRequired[str]
    """One of agent-sandbox:identities. Default none: no rights outside the cluster."""


@arguments(extends=SandboxArgs)
class SandboxEntry(SandboxArgs):
    """The component's arguments, and who the sandbox is."""

    identity: NotRequired[str]
    """One of agent-sandbox:identities. Default none: no rights outside the cluster."""


def identity_defaults(values: Values) -> dict[str, Any]:
    """The keys of templates, sandboxes and identities, filled in by each other; what is wrong is left for the check."""
    filled: dict[str, Any] = {key: values[key] for key in ENTRIES}
    for key in ENTRIES:
        if isinstance(values[key], Mapping):
            filled[key] = {name: _as_its_identity(each) for name, each in values[key].items()}
    identities = values.get("identities", {})
    if isinstance(identities, Mapping) and identities:
        at = {each["identity"]: each["namespace"] for _, each in _naming(values)}
        filled["identities"] = {
            name: {"namespace": at.get(name, values["namespace"]), **each} if isinstance(each, Mapping) else each
            for name, each in identities.items()
        }
    return filled


def without_identity(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Checked entries as the components take them."""
    return {
        name: {field: value for field, value in each.items() if field != "identity"} for name, each in entries.items()
    }


def accounts_in(values: Values, namespace: str) -> list[str]:
    """The service accounts that the sandboxes of a namespace run as under gVisor."""
    return sorted(
        {
            account_of(each)
            for _, _, each in _all(values)
            if each.get("namespace") == namespace and each.get("runtime", "gvisor") == "gvisor"
        }
    )


def account_of(entry: Values) -> str:
    """The service account that a template or a sandbox, filled in, runs as."""
    pod = entry.get("pod")
    named = pod.get("serviceAccountName") if isinstance(pod, Mapping) else entry.get("serviceAccount")
    return str(named or "default")


def identity_problems(values: Values) -> list[Problem]:
    """Identities that nothing bears, that would not be what a sandbox runs as, or that more than one would be."""
    identities = values.get("identities", {})
    problems: list[Problem] = []
    if not isinstance(identities, Mapping):
        return problems
    named_by: dict[str, str] = {}
    for key, name, entry in _all(values):
        where = f"{PREFIX}{key}.{name}"
        identity = entry.get("identity")
        if identity is None:
            problems += _without_naming(where, entry, identities)
        elif isinstance(identity, str):
            problems += _naming_it(where, identity, entry, identities, named_by.setdefault(identity, f"{key}.{name}"))
    return problems


def _all(values: Values) -> Iterator[tuple[str, str, Values]]:
    """Each template and sandbox that is a map: its key, its name, itself."""
    for key in ENTRIES:
        entries = values.get(key)
        for name, each in entries.items() if isinstance(entries, Mapping) else ():
            if isinstance(each, Mapping):
                yield key, name, each


def _naming(values: Values) -> Iterator[tuple[str, Values]]:
    """Those of them that name an identity, as far as that can be told."""
    return ((name, each) for _, name, each in _all(values) if isinstance(each.get("identity"), str))


def _as_its_identity(entry: Any) -> Any:
    """An entry with what naming an identity means, where it says nothing else itself."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("identity"), str):
        return entry
    filled = dict(entry)
    if isinstance(entry.get("pod"), Mapping):
        filled["pod"] = {"serviceAccountName": entry["identity"], **entry["pod"]}
    else:
        filled.setdefault("serviceAccount", entry["identity"])
    egress = entry.get("egress", {"internet": True})
    if not entry.get("unsafeUnmanagedNetwork") and isinstance(egress, Mapping):
        filled["egress"] = {"unsafeMetadataServer": True, **egress}
    return filled


def _naming_it(where: str, identity: str, entry: Values, identities: Values, first: str) -> Iterator[Problem]:
    if identity not in identities:
        remedy = f"Its pods would be refused. Add it under {PREFIX}identities. {similar(identity, identities)}"
        yield Problem(f"{where}.identity", show(identity), "is not one of the identities", remedy)
        return
    if f"{PREFIX}{first}" != where:
        remedy = "Each would have the other's rights. Give each an identity of its own, if with the same rights."
        yield Problem(f"{where}.identity", show(identity), f"is already the identity of {first}", remedy)
    if account_of(entry) != identity:
        field = "pod.serviceAccountName" if "pod" in entry else "serviceAccount"
        remedy = f"Its pods would not have the rights. Remove it: {identity} is the account's name."
        yield Problem(f"{where}.{field}", show(account_of(entry)), "is given beside an identity", remedy)
    egress = entry.get("egress")
    if isinstance(egress, Mapping) and egress.get("unsafeMetadataServer") is False:
        remedy = "No token would reach it. Remove it: on GKE's nodes the server knows the identity's tokens alone."
        yield Problem(f"{where}.egress.unsafeMetadataServer", show(False), "is given beside an identity", remedy)
    place = identities[identity].get("namespace") if isinstance(identities[identity], Mapping) else None
    if isinstance(place, str) and place != entry.get("namespace"):
        remedy = (
            f"Its pods would be refused: an account is of one namespace. Leave it out, or write {entry['namespace']}."
        )
        wrong = f"is not the namespace of {where.removeprefix(PREFIX)}, {entry['namespace']}"
        yield Problem(f"{PREFIX}identities.{identity}.namespace", show(place), wrong, remedy)


def _without_naming(where: str, entry: Values, identities: Values) -> Iterator[Problem]:
    account = account_of(entry)
    if account in identities and account != "default":
        field = "pod.serviceAccountName" if "pod" in entry else "serviceAccount"
        remedy = f"It would have the rights and no way to its tokens. Write identity: {account} in its place."
        yield Problem(f"{where}.{field}", show(account), "is an identity's account", remedy)
