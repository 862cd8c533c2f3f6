"""A SandboxTemplate: the blueprint that warm pools make sandboxes from.

Owns the template alone; the controller derives the network policy from its rules. Whatever the
arguments, the pod is restricted, has no service account token, and sits behind the kernel isolation
that `runtime` names.
"""

from typing import NotRequired

import pulumi

from components._arguments import arguments, require_valid
from components._blueprint import BlueprintArgs
from components._checks import one_of
from components._kubernetes import EXTENSIONS_API, MANAGED_BY, KubernetesObject
from components._pods import blueprint, network_rules

POLICIES = ("Disallowed", "Allowed", "Overrides")
_WHO = "It says what a claim may bring into the sandbox."


@arguments(
    extends=BlueprintArgs,
    env_vars_injection_policy=one_of(POLICIES, _WHO),
    volume_claim_templates_policy=one_of(POLICIES, _WHO),
)
class SandboxTemplateArgs(BlueprintArgs):
    """Arguments of SandboxTemplate."""

    env_vars_injection_policy: NotRequired[str]
    """Whether claims may add environment variables: `Disallowed`, `Allowed`, or `Overrides`, the template's own too.
    A claim that does starts cold. Default Disallowed, upstream's."""
    volume_claim_templates_policy: NotRequired[str]
    """Whether claims may add volume claims: `Disallowed`, `Allowed`, or `Overrides`, the template's own too. A claim
    that does starts cold. Default Disallowed, upstream's."""


class SandboxTemplate(pulumi.ComponentResource):
    """A template, of the component's own name."""

    template_name: pulumi.Output[str]
    """The template's name, for a warm pool; known once the template exists."""

    def __init__(self, name: str, args: SandboxTemplateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxTemplateArgs, name, args)
        super().__init__("agent-sandbox:index:SandboxTemplate", name, {**args}, opts)
        unmanaged = args.get("unsafe_unmanaged_network", False)
        manifest = {
            "apiVersion": EXTENSIONS_API,
            "kind": "SandboxTemplate",
            "metadata": {"name": name, "namespace": args["namespace"], "labels": MANAGED_BY},
            "spec": {
                **blueprint(args),
                "networkPolicyManagement": "Unmanaged" if unmanaged else "Managed",
                **({} if unmanaged else {"networkPolicy": network_rules(args)}),
                "envVarsInjectionPolicy": args.get("env_vars_injection_policy", "Disallowed"),
                "volumeClaimTemplatesPolicy": args.get("volume_claim_templates_policy", "Disallowed"),
            },
        }
        template = KubernetesObject(f"{name}-template", manifest, pulumi.ResourceOptions(parent=self))
        self.template_name = template.id.apply(lambda _: name)
        self.register_outputs({"template_name": self.template_name})
