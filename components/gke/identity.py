"""Who a sandbox is to Google Cloud: a Kubernetes service account that IAM knows through Workload Identity.

Rights are bound to the account directly; where an API does not take such a principal, a Google service
account is impersonated. A project has one identity pool, which says nothing of the cluster: an account
of the same namespace and name in another cluster of the project has the same rights.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from components._arguments import arguments, require_valid
from components._checks import dns_label
from components._kubernetes import MANAGED_BY, KubernetesObject
from components.gke._checks import bucket_name, project_id
from components.gke._principals import principal

BASIC = ("roles/owner", "roles/editor", "roles/viewer")


def _role(value: str) -> tuple[str, str] | None:
    if value in BASIC:
        remedy = "Whatever an agent's code does could reach the whole project. Name a role that allows what is needed."
        return "is a basic role", remedy
    if value.startswith(("roles/", "projects/", "organizations/")):
        return None
    return "is not a role", "IAM would refuse it. Write it in full, as in roles/storage.objectViewer."


def _narrow(right: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if str(right["role"]).endswith((".admin", "Admin")) and "bucket" not in right and "condition" not in right:
        remedy = "A sandbox could administer all there is of it. Name a bucket, add a condition, or take a lesser role."
        yield "role", "administers, in the whole project", remedy


@arguments(together=_narrow, role=_role, bucket=bucket_name)
class Right(TypedDict):
    """One role, on a bucket or in the whole project."""

    role: str
    """The role in full, as in roles/storage.objectViewer. Owner, Editor and Viewer are refused."""
    bucket: NotRequired[str]
    """The Cloud Storage bucket that it is for. Default the whole project."""
    condition: NotRequired[str]
    """When it holds, as an IAM condition in CEL. Default always."""


def _account_id(args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    identifier = args.get("impersonate", "")
    if identifier and not (6 <= len(identifier) <= 30 and dns_label(identifier) is None):
        remedy = "IAM would refuse it. Use 6 to 30 lowercase letters, digits and inner dashes."
        yield "impersonate", "is not a service account's id", remedy


def _own_namespace(value: str) -> tuple[str, str] | None:
    if value in ("default", "kube-system"):
        remedy = "Every cluster of the project has it, and its accounts the same rights. Take a namespace of its own."
        return "is a namespace of every cluster", remedy
    return dns_label(value)


@arguments(together=_account_id, project=project_id, namespace=_own_namespace)
class SandboxIdentityArgs(TypedDict):
    """Arguments of SandboxIdentity."""

    project: str
    """The project's id."""
    project_number: pulumi.Input[str]
    """The project's number."""
    workload_pool: pulumi.Input[str]
    """The cluster's identity pool: bindings wait for it, since it comes with the project's first cluster."""
    namespace: str
    """The sandboxes' namespace; it must exist."""
    rights: NotRequired[dict[str, Right]]
    """What sandboxes may do, by what it is for. Default nothing."""
    impersonate: NotRequired[str]
    """The id of a Google service account to make and to act as, for APIs that take no principal of a pool.
    Default none: rights are the account's own."""


class SandboxIdentity(pulumi.ComponentResource):
    """A Kubernetes service account of the component's own name, for one template, and its rights.

    Pass a Kubernetes provider beside the Google Cloud one: opts.providers.
    """

    service_account: pulumi.Output[str]
    """The Kubernetes service account's name, for a template; known once its rights are there."""
    principal: pulumi.Output[str]
    """What IAM knows the sandboxes as."""

    def __init__(self, name: str, args: SandboxIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxIdentityArgs, name, args)
        super().__init__("agent-sandbox:index:SandboxIdentity", name, {**args}, opts)
        options = pulumi.ResourceOptions(parent=self)
        self.principal = principal(args, args["namespace"], name)
        annotations: dict[str, pulumi.Input[str]] = {}
        member = self.principal
        if "impersonate" in args:
            account = self._impersonated(name, args)
            annotations["iam.gke.io/gcp-service-account"] = account.email
            member = account.member
        rights = [self._grant(f"{name}-{what}", args, right, member) for what, right in args.get("rights", {}).items()]
        manifest = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": name,
                "namespace": args["namespace"],
                "labels": MANAGED_BY,
                "annotations": annotations,
            },
            # A token comes from the metadata server; none is put into the sandbox.
            "automountServiceAccountToken": False,
        }
        made = KubernetesObject(f"{name}-service-account", manifest, options)
        self.service_account = pulumi.Output.all(made.id, *(right.id for right in rights)).apply(lambda _: name)
        self.register_outputs({"service_account": self.service_account, "principal": self.principal})

    def _impersonated(self, name: str, args: SandboxIdentityArgs) -> "gcp.serviceaccount.Account":
        account = gcp.serviceaccount.Account(
            f"{name}-account",
            project=args["project"],
            account_id=args["impersonate"],
            display_name=f"Sandboxes of {args['namespace']}/{name}",
            opts=pulumi.ResourceOptions(parent=self),
        )
        gcp.serviceaccount.IAMMember(
            f"{name}-impersonation",
            service_account_id=account.name,
            role="roles/iam.workloadIdentityUser",
            member=pulumi.Output.format("serviceAccount:{}[{}/{}]", args["workload_pool"], args["namespace"], name),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return account

    def _grant(
        self, child: str, args: SandboxIdentityArgs, right: Right, member: pulumi.Input[str]
    ) -> pulumi.CustomResource:
        options = pulumi.ResourceOptions(parent=self)
        condition: Any = {"title": child, "expression": right["condition"]} if "condition" in right else None
        if "bucket" in right:
            return gcp.storage.BucketIAMMember(
                child, bucket=right["bucket"], role=right["role"], member=member, condition=condition, opts=options
            )
        return gcp.projects.IAMMember(
            child, project=args["project"], role=right["role"], member=member, condition=condition, opts=options
        )
