"""A SandboxTemplate: the blueprint that warm pools make sandboxes from.

Owns the template alone; the controller derives the network policy from it. Whatever the arguments,
the pod is restricted, has no service account token, and sits behind the kernel isolation that
`runtime` names.
"""

from typing import Any, NotRequired, TypedDict

import pulumi

from components._arguments import arguments, require_valid
from components._checks import between, dns_label, one_of, pinned_image, quantities
from components._kubernetes import (
    EXTENSIONS_API,
    MANAGED_BY,
    KubernetesObject,
    Manifest,
    restricted_container,
    restricted_pod,
)
from components._runtimes import RUNTIMES

REQUESTS = {"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "512Mi"}
LIMITS = {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "1Gi"}


@arguments(
    namespace=dns_label,
    image=pinned_image,
    runtime=one_of(RUNTIMES, "It decides what stands between the agent's code and the node's kernel."),
    port=between(1, 65535, "Nothing can listen there."),
    user=between(1, 2**31 - 1, "User 0 is root, which a sandbox never is."),
    requests=quantities,
    limits=quantities,
)
class SandboxTemplateArgs(TypedDict):
    """Arguments of SandboxTemplate."""

    namespace: str
    """The namespace of the template and of the sandboxes made from it; it must exist."""
    image: pulumi.Input[str]
    """The sandbox's image, with a release's tag or a digest."""
    runtime: NotRequired[str]
    """What isolates the kernel: `gvisor`, `kata-qemu`, `kata-clh`, or `unsafe-runc`, nothing. Default gvisor."""
    port: NotRequired[int]
    """The port that the sandbox serves HTTP on, for the router and the probes. Default 8888, upstream's runtimes'."""
    env: NotRequired[dict[str, pulumi.Input[str]]]
    """Environment variables. What is written here is readable by whoever may read templates. Default none."""
    user: NotRequired[int]
    """The user and group id that the code runs as. Default 1000, the one in upstream's runtime images."""
    read_only_root: NotRequired[bool]
    """Whether the root file system is read-only, with a writable /tmp. Default false: agents install packages."""
    requests: NotRequired[dict[str, pulumi.Input[str]]]
    """Resources each sandbox is sure of. Default 250m CPU, 512Mi memory and ephemeral storage, as upstream's guides
    have it."""
    limits: NotRequired[dict[str, pulumi.Input[str]]]
    """Resources no sandbox exceeds. Default 500m CPU, 1Gi memory and ephemeral storage, as upstream's guides have
    it."""


class SandboxTemplate(pulumi.ComponentResource):
    """A template, of the component's own name."""

    template_name: pulumi.Output[str]
    """The template's name, for a warm pool; known once the template exists."""

    def __init__(self, name: str, args: SandboxTemplateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxTemplateArgs, name, args)
        super().__init__("agent-sandbox:index:SandboxTemplate", name, {**args}, opts)
        manifest = {
            "apiVersion": EXTENSIONS_API,
            "kind": "SandboxTemplate",
            "metadata": {"name": name, "namespace": args["namespace"], "labels": MANAGED_BY},
            "spec": {
                "podTemplate": {"spec": _pod(args)},
                "networkPolicyManagement": "Managed",
                "envVarsInjectionPolicy": "Disallowed",
                "volumeClaimTemplatesPolicy": "Disallowed",
            },
        }
        template = KubernetesObject(f"{name}-template", manifest, pulumi.ResourceOptions(parent=self))
        self.template_name = template.id.apply(lambda _: name)
        self.register_outputs({"template_name": self.template_name})


def _pod(args: SandboxTemplateArgs) -> Manifest:
    read_only = args.get("read_only_root", False)
    port = args.get("port", 8888)
    probe = {"httpGet": {"path": "/", "port": "http"}}
    container: dict[str, Any] = {
        "name": "sandbox",
        "image": args["image"],
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": port}],
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 5},
        "resources": {"requests": args.get("requests", REQUESTS), "limits": args.get("limits", LIMITS)},
        "securityContext": restricted_container(read_only_root=read_only),
    }
    if env := args.get("env"):
        container["env"] = [{"name": key, "value": value} for key, value in env.items()]
    pod: dict[str, Any] = {
        **RUNTIMES[args.get("runtime", "gvisor")].pod_fields(),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(args.get("user", 1000)),
        "containers": [container],
    }
    if read_only:
        container["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - of the sandbox, not of this host
        pod["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    return pod
