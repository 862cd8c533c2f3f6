"""That nothing gives rights in the cluster to a sandbox's service account: by name, as a user, or through a group."""

from collections.abc import Iterator
from typing import Any

from policies.controls import Hit, Parameters, Topic, untold
from policies.objects import Object
from policies.stacks import Stack
from policies.values import UNKNOWN, get, mappings

TOPIC = Topic(
    "sandbox-rbac",
    "Nothing binds a role to a sandbox's service account",
    "stack",
    framework="Agent Sandbox threat model",
    url="https://github.com/kubernetes-sigs/agent-sandbox/tree/main/examples/policy/kyverno",
)

Account = tuple[Any, Any]
"""Namespace and name of a service account; either may be UNKNOWN."""

EVERYBODY = ("system:serviceaccounts", "system:authenticated")


def _accounts(stack: Stack) -> set[Account]:
    """The service accounts of every sandbox; one that names none has its namespace's `default`."""
    return {(pod.owner.namespace, pod.get("serviceAccountName") or "default") for pod in stack.sandboxes()}


@TOPIC.control(
    "accountBinding",
    severity="critical",
    risk="Whoever steals or forges the sandbox's identity has those rights in the cluster.",
    fix="Remove the subject; give what needs rights a service account and a pod of its own.",
)
def account_binding(stack: Stack, _: Parameters) -> Iterator[Hit]:
    """No binding names the service account of a sandbox, as an account or as the user that it is."""
    accounts = _accounts(stack)
    for one, path, subject in _subjects(stack):
        kind, name = get(subject, "kind"), get(subject, "name")
        if not accounts:
            return
        if subject is UNKNOWN or kind is UNKNOWN or (name is UNKNOWN and kind != "Group"):
            yield untold(path, one)
        elif kind == "ServiceAccount":
            namespace = get(subject, "namespace") or (one.namespace if one.kind == "RoleBinding" else "")
            if (namespace, name) in accounts:
                yield Hit(path, "is the service account of a sandbox", subject=one)
            elif namespace is UNKNOWN or _possible(accounts, namespace, name):
                yield untold(path, one)
        elif kind == "User" and any(
            UNKNOWN not in (where, who) and name == f"system:serviceaccount:{where}:{who}" for where, who in accounts
        ):
            yield Hit(path, "is, as a user, the service account of a sandbox", subject=one)


def _possible(accounts: set[Account], namespace: Any, name: Any) -> bool:
    """Whether an account that is partly unknown may turn out to be this one."""
    return any(
        UNKNOWN in (where, who) and where in (namespace, UNKNOWN) and who in (name, UNKNOWN) for where, who in accounts
    )


@TOPIC.control(
    "groupBinding",
    severity="critical",
    risk="Every service account of the group has those rights, the sandboxes' among them.",
    fix="Bind the accounts that are meant, by name.",
)
def group_binding(stack: Stack, _: Parameters) -> Iterator[Hit]:
    """No binding names a group that holds the service accounts of sandboxes."""
    namespaces = {namespace for namespace, _ in _accounts(stack)}
    if not namespaces:
        return
    for one, path, subject in _subjects(stack):
        name = get(subject, "name")
        if get(subject, "kind") != "Group":
            continue
        if name is UNKNOWN:
            yield untold(path, one)
        elif name in EVERYBODY:
            yield Hit(path, "is a group of all service accounts", subject=one)
        elif isinstance(name, str) and name.startswith("system:serviceaccounts:"):
            if name.removeprefix("system:serviceaccounts:") in namespaces:
                yield Hit(path, "is the group of all service accounts in a namespace of sandboxes", subject=one)
            elif UNKNOWN in namespaces:
                yield untold(path, one)


def _subjects(stack: Stack) -> Iterator[tuple[Object, str, Any]]:
    for one in stack.all("RoleBinding", "ClusterRoleBinding"):
        for path, subject in mappings(get(one.data, "subjects"), "subjects"):
            yield one, path, subject
