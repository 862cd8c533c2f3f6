"""The objects that rules see: a Kubernetes object or a cloud resource, wherever it was read from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.values import UNKNOWN, get

CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "FlowSchema",
        "GatewayClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)


@dataclass(frozen=True, eq=False, slots=True)
class Object:
    """An object with its plain data."""

    type: str
    """The Pulumi type token, as in kubernetes:apps/v1:Deployment or gcp:container/cluster:Cluster."""
    data: Mapping[str, Any]
    name: Any
    namespace: Any
    path: str = ""
    """Where it lies in what it was read from: empty, or as in items[0] of a List."""
    urn: str = ""
    """Its name in a Pulumi stack."""
    source: Any = None
    """The document that it was read from, for its file and lines."""
    patch: bool = False
    """Whether it is one of Pulumi's *Patch kinds, which hold only what they change."""

    @property
    def kind(self) -> str:
        return self.type.rpartition(":")[2]

    @property
    def group(self) -> str:
        """The API group of a Kubernetes object, empty for the core group; the module of a cloud resource."""
        _, _, rest = self.type.partition(":")
        group = rest.rpartition(":")[0].partition("/")[0]
        return "" if group == "core" else group

    @property
    def title(self) -> str:
        """Kind/namespace/name; a namespaced object that names no namespace is kubectl's default one."""
        return f"{self.kind}/{_shown(self.namespace)}/{_shown(self.name)}"

    @property
    def stack(self) -> str:
        """The stack's name in its URN; empty outside Pulumi."""
        return self.urn.split(":")[2] if self.urn.startswith("urn:pulumi:") else ""


def _shown(name: Any) -> str:
    return name if isinstance(name, str) else "(unknown)" if name is UNKNOWN else ""


def kubernetes(data: Mapping[str, Any], **where: Any) -> Object:
    """The object of a manifest; what is not written as it should be becomes an empty or unknown part of its name."""
    api, kind = data.get("apiVersion"), data.get("kind")
    group = api if isinstance(api, str) and "/" in api else f"core/{api if isinstance(api, str) else ''}"
    kind = kind if isinstance(kind, str) else ""
    name = get(data, "metadata", "name")
    if name is None:
        name = get(data, "metadata", "generateName")
    namespace = "" if kind in CLUSTER_SCOPED else get(data, "metadata", "namespace")
    if namespace is None:
        namespace = "default"
    return Object(f"kubernetes:{group}:{kind}", data, name, namespace, **where)


def pulumi(token: str, data: Mapping[str, Any], urn: str, **where: Any) -> Object:
    """The object of a Pulumi resource's inputs. Its kind is the token's: the inputs need not repeat it."""
    package, _, rest = token.partition(":")
    if package != "kubernetes":
        name = data.get("name")
        shown = name if isinstance(name, str) else urn.rpartition("::")[2]
        return Object(token, data, shown, "", urn=urn, **where)
    api, _, kind = rest.rpartition(":")
    patch = kind.endswith("Patch") and kind != "Patch"
    kind = kind.removesuffix("Patch") if patch else kind
    manifest = {**data, "apiVersion": api.removeprefix("core/"), "kind": kind}
    made = kubernetes(manifest, urn=urn, patch=patch, **where)
    if made.name is None:  # the provider makes one up from the resource's name
        return Object(made.type, data, urn.rpartition("::")[2], made.namespace, urn=urn, patch=patch, **where)
    return Object(made.type, data, made.name, made.namespace, urn=urn, patch=patch, **where)


def expand(one: Object) -> list[Object]:
    """The object itself, or the items of a List of any kind, each as an object of its own."""
    items = one.data.get("items")
    if not one.type.startswith("kubernetes:") or not one.kind.endswith("List") or items is None:
        return [one]
    if not isinstance(items, list):
        return [one]
    api, _, kind = one.type.removeprefix("kubernetes:").rpartition(":")
    found = []
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            return [one]
        inherited = {} if kind == "List" else {"apiVersion": api.removeprefix("core/"), "kind": kind[: -len("List")]}
        path = f"{one.path}.items[{index}]".lstrip(".")
        made = kubernetes({**inherited, **item}, path=path, urn=one.urn, source=one.source)
        found += expand(made) if made.kind.endswith("List") else [made]
    return found
