"""What an application needs that creates and uses sandboxes through the Python client k8s-agent-sandbox.

Owns a service account, unless one is named, and its rights: what the client calls, in the namespaces
that are named, and nothing else. Never a sandbox's own account: code in a sandbox would have the rights.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components._arguments import arguments, require_valid
from components._checks import dns_label, each
from components._kubernetes import MANAGED_BY, SYSTEM_NAMESPACE, KubernetesObject, Manifest

ROUTER_SERVICE = "sandbox-router-svc"
"""The name that the client forwards a port to."""

CLAIMS_AND_SANDBOXES = [
    {
        "apiGroups": ["extensions.agents.x-k8s.io"],
        "resources": ["sandboxclaims"],
        "verbs": ["create", "get", "list", "watch", "delete"],
    },
    {"apiGroups": ["agents.x-k8s.io"], "resources": ["sandboxes"], "verbs": ["get", "watch"]},
]
TUNNEL = [
    {"apiGroups": [""], "resources": ["services"], "resourceNames": [ROUTER_SERVICE], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    # `get` is how an API server before 1.35 sees a port-forward over WebSocket, `create` how all others do.
    {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]},
]


def _https(value: str) -> tuple[str, str] | None:
    if value.startswith("https://"):
        return None
    return "is not an https:// address", "The token would travel in the clear. Give the API server's URL."


@arguments(server=_https)
class KubeconfigArgs(TypedDict):
    """A kubeconfig for an application outside the cluster."""

    server: pulumi.Input[str]
    """The API server's URL as the application reaches it, with https://."""


def _no_sandbox_account(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    way_out = "The code in a sandbox could claim sandboxes without end."
    if values.get("service_account") == "default":
        remedy = f"Every pod that names no account has it, and sandboxes are among them. {way_out} Name one of its own."
        yield "service_account", "is the account that sandboxes have", remedy
    if values["namespace"] in values["sandbox_namespaces"]:
        remedy = f"A sandbox there could be given the account. {way_out} Put the application into another namespace."
        yield "namespace", "is a namespace of sandboxes", remedy
    if not values["sandbox_namespaces"]:
        yield "sandbox_namespaces", "is empty", "The account would have no rights. Name at least one namespace."
    if len(set(values["sandbox_namespaces"])) < len(values["sandbox_namespaces"]):
        yield "sandbox_namespaces", "names a namespace twice", "Its rights would be declared twice. Name it once."
    if "router_namespace" in values and not values.get("tunnel", False):
        remedy = "Nothing there is needed. Remove it, or ask for the tunnel."
        yield "router_namespace", "is given, though no tunnel is asked for", remedy
    if ("gateway" in values) != ("gateway_namespace" in values):
        missing, given = ("gateway_namespace", "gateway") if "gateway" in values else ("gateway", "gateway_namespace")
        yield missing, f"is given, though {given} is", "A Gateway is found by both. Add it."


@arguments(
    together=_no_sandbox_account,
    namespace=dns_label,
    sandbox_namespaces=each(dns_label),
    service_account=dns_label,
    router_namespace=dns_label,
    gateway=dns_label,
    gateway_namespace=dns_label,
)
class ControllerAppAccessArgs(TypedDict):
    """Arguments of ControllerAppAccess."""

    namespace: str
    """The application's namespace, which must exist and hold no sandboxes."""
    sandbox_namespaces: list[str]
    """The namespaces in which it may claim sandboxes."""
    service_account: NotRequired[str]
    """The application's service account, one that exists. Default one of the component's own name, which is made."""
    annotations: NotRequired[dict[str, pulumi.Input[str]]]
    """Annotations of the account that is made: iam.gke.io/gcp-service-account, say. Default none."""
    tunnel: NotRequired[bool]
    """Whether it may forward a port to the router, as the client does by default: for development, since it may then
    forward one to every pod of the router's namespace. Default false: in the cluster the client connects directly."""
    router_namespace: NotRequired[str]
    """The namespace of the router that `tunnel` leads to. Default agent-sandbox-system."""
    gateway: NotRequired[str]
    """The Gateway whose address the client looks up. Default none: it is given the address."""
    gateway_namespace: NotRequired[str]
    """The Gateway's namespace."""
    kubeconfig: NotRequired[KubeconfigArgs]
    """Makes a token that never expires, and a kubeconfig with it: the output `kubeconfig`. Inside the cluster an
    application needs none, and a token for an hour is one `kubectl create token` away. Default none."""


class ControllerAppAccess(pulumi.ComponentResource):
    """A service account and its rights, in objects of the component's own name."""

    service_account_name: pulumi.Output[str]
    """The service account, for the application's pods; known once it has its rights."""
    kubeconfig: pulumi.Output[str]
    """A kubeconfig with the account's token, as a secret; empty unless one is asked for."""

    def __init__(self, name: str, args: ControllerAppAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(ControllerAppAccessArgs, name, args)
        super().__init__("agent-sandbox:index:ControllerAppAccess", name, {**args}, opts)
        namespace, account = args["namespace"], args.get("service_account", name)
        made: list[pulumi.Resource] = []
        if "service_account" not in args:
            metadata = _metadata(account, namespace, args.get("annotations", {}))
            manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
            # A token is asked for, never mounted: the application's pod says where it wants one.
            made = [KubernetesObject(f"{name}-account", manifest, pulumi.ResourceOptions(parent=self))]
        after = pulumi.ResourceOptions(parent=self, depends_on=made)
        subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
        bindings = []
        for where, (role, rules) in _rights(args).items():
            own = f"{name}-{role}" if role else name
            rights = _rbac("Role", own, where[0], rules=rules)
            granted = KubernetesObject(f"{own}-role-{where[0]}", rights, after)
            reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": own}
            binding = _rbac("RoleBinding", own, where[0], roleRef=reference, subjects=[subject])
            options = pulumi.ResourceOptions(parent=self, depends_on=[*made, granted])
            bindings.append(KubernetesObject(f"{own}-binding-{where[0]}", binding, options))
        self.service_account_name = pulumi.Output.all(*(each.id for each in bindings)).apply(lambda _: account)
        self.kubeconfig = pulumi.Output.secret("")
        if "kubeconfig" in args:
            token = _Token(f"{name}-token", _token_secret(name, namespace, account), after)
            self.kubeconfig = _kubeconfig(args["kubeconfig"]["server"], args["sandbox_namespaces"][0], token)
        self.register_outputs({"service_account_name": self.service_account_name, "kubeconfig": self.kubeconfig})


def _rights(args: ControllerAppAccessArgs) -> dict[tuple[str, str], tuple[str, list[dict[str, Any]]]]:
    """For each namespace and purpose: what the role is called beside the component's name, and its rules."""
    rights = {(each, "sandboxes"): ("", CLAIMS_AND_SANDBOXES) for each in args["sandbox_namespaces"]}
    if args.get("tunnel", False):
        rights[args.get("router_namespace", SYSTEM_NAMESPACE), "tunnel"] = ("tunnel", TUNNEL)
    if "gateway" in args:
        rule = {
            "apiGroups": ["gateway.networking.k8s.io"],
            "resources": ["gateways"],
            "resourceNames": [args["gateway"]],
            "verbs": ["watch"],
        }
        rights[args["gateway_namespace"], "gateway"] = ("gateway", [rule])
    return rights


def _metadata(name: str, namespace: str, annotations: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "labels": MANAGED_BY, "annotations": annotations}


def _rbac(kind: str, name: str, namespace: str, **content: Any) -> Manifest:
    metadata = _metadata(name, namespace, {})
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, **content}


class _Token(KubernetesObject):
    """A service account's token; Pulumi waits until Kubernetes has put it into the Secret."""

    data: pulumi.Output[dict[str, str]]


def _token_secret(name: str, namespace: str, account: str) -> Manifest:
    annotations = {"kubernetes.io/service-account.name": account}
    metadata = _metadata(f"{name}-token", namespace, annotations)
    kind = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token"}
    return {**kind, "metadata": metadata, "data": None}  # Kubernetes fills it in


def _kubeconfig(server: pulumi.Input[str], namespace: str, token: _Token) -> pulumi.Output[str]:
    def written(known: dict[str, Any]) -> str:
        data = known["data"] or {}  # unknown to a preview
        named = {"name": "agent-sandbox"}
        cluster = {"server": known["server"], "certificate-authority-data": data.get("ca.crt", "")}
        user = {"token": base64.b64decode(data.get("token", "")).decode()}
        context = {"cluster": "agent-sandbox", "user": "agent-sandbox", "namespace": namespace}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{**named, "cluster": cluster}],
                "users": [{**named, "user": user}],
                "contexts": [{**named, "context": context}],
                "current-context": "agent-sandbox",
            }
        )

    return pulumi.Output.secret(pulumi.Output.all(server=server, data=token.data).apply(written))
