"""Admission policies: the API server refuses Sandboxes and SandboxTemplates that are softer than this project's.

What the policy pack says of a stack before it is deployed, these hold on the cluster, against
everybody who may write there. Owns ValidatingAdmissionPolicies, their bindings, and the ConfigMap with
their parameters. A Sandbox that a template or a claim leads to is asked as any other.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components._admission_rules import BINDING_RULES, POD_RULES, RULES, TEMPLATE_RULES, VARIABLES, Rule
from components._arguments import arguments, require_valid
from components._checks import dns_label, each, one_of
from components._kubernetes import MANAGED_BY, SYSTEM_NAMESPACE, KubernetesObject, Manifest
from components._runtimes import RUNTIMES

API = "admissionregistration.k8s.io/v1"
ACTIONS = {"deny": ["Deny"], "warn": ["Warn", "Audit"], "audit": ["Audit"]}
RUNTIME_CLASSES = [each.class_name for each in RUNTIMES.values() if each.class_name]


def _one_choice(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "namespaces" in values and "namespace_labels" in values:
        remedy = "The one would narrow the other unseen. Choose namespaces by name, or by label."
        yield "namespace_labels", "is given beside namespaces", remedy
    for field in ("namespaces", "namespace_labels", "runtime_classes"):
        if field in values and not values[field]:
            yield field, "is empty", "It would refuse everything, or nothing. Name at least one, or leave it out."


@arguments(
    together=_one_choice,
    namespaces=each(dns_label),
    enforcement=one_of(ACTIONS, "It says what becomes of an object that breaks a rule."),
    parameters_namespace=dns_label,
    disabled_rules=each(one_of(RULES, "Nothing would be left out.")),
)
class SandboxAdmissionArgs(TypedDict):
    """Arguments of SandboxAdmission."""

    namespaces: NotRequired[list[str]]
    """The namespaces that it holds for; in these, no role may be bound to a service account either, as the code in a
    sandbox could have it. Default all namespaces, with no rule for accounts."""
    namespace_labels: NotRequired[dict[str, str]]
    """The labels of the namespaces that it holds for, in place of their names. Default all namespaces."""
    enforcement: NotRequired[str]
    """What becomes of an object that breaks a rule: `deny` refuses it, `warn` tells its author and the audit log,
    `audit` the log alone. Default deny."""
    runtime_classes: NotRequired[list[str]]
    """The runtime classes that isolate the kernel. Default gvisor, kata-qemu and kata-clh."""
    required_limits: NotRequired[list[str]]
    """The resources that every container limits. Default cpu and memory, upstream's."""
    registries: NotRequired[list[str]]
    """Where images may come from, as in registry.k8s.io/agent-sandbox. Default anywhere."""
    disabled_rules: NotRequired[list[str]]
    """Rules that are left out, by name. Default none."""
    parameters_namespace: NotRequired[str]
    """The namespace of the ConfigMap with the parameters; it must exist. Default agent-sandbox-system."""


class SandboxAdmission(pulumi.ComponentResource):
    """Policies for Sandboxes and for SandboxTemplates, which begin with the component's own name."""

    policy_names: pulumi.Output[list[str]]
    """The policies' names; known once they are bound."""

    def __init__(self, name: str, args: SandboxAdmissionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxAdmissionArgs, name, args)
        super().__init__("agent-sandbox:index:SandboxAdmission", name, {**args}, opts)
        parameters = KubernetesObject(
            f"{name}-parameters", _parameters(name, args), pulumi.ResourceOptions(parent=self)
        )
        bindings = []
        for policy, (manifest, where) in _policies(name, args).items():
            made = KubernetesObject(f"{policy}-policy", manifest, pulumi.ResourceOptions(parent=self))
            # Bound last, unbound first: a policy without its parameters refuses everything.
            after = pulumi.ResourceOptions(parent=self, depends_on=[parameters, made])
            bindings.append(KubernetesObject(f"{policy}-binding", _binding(name, policy, args, where), after))
        names = list(_policies(name, args))
        self.policy_names = pulumi.Output.all(*(each.id for each in bindings)).apply(lambda _: names)
        self.register_outputs({"policy_names": self.policy_names})


def _parameters(name: str, args: SandboxAdmissionArgs) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": args.get("parameters_namespace", SYSTEM_NAMESPACE),
            "labels": MANAGED_BY,
        },
        "data": {
            "runtimeClasses": ",".join(args.get("runtime_classes", RUNTIME_CLASSES)),
            "limits": ",".join(args.get("required_limits", ["cpu", "memory"])),
            "registries": ",".join(each.rstrip("/") for each in args.get("registries", ())),
            "namespaces": ",".join(args.get("namespaces", ())),
        },
    }


def _policies(name: str, args: SandboxAdmissionArgs) -> dict[str, tuple[Manifest, Manifest]]:
    """Each policy by name, with the resources that its binding chooses among those that it knows."""
    where: dict[str, Any] = {}
    if "namespaces" in args:
        named = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": args["namespaces"]}
        where = {"namespaceSelector": {"matchExpressions": [named]}}
    elif "namespace_labels" in args:
        where = {"namespaceSelector": {"matchLabels": args["namespace_labels"]}}
    off = args.get("disabled_rules", ())
    rbac = ("rbac.authorization.k8s.io", "v1", ["rolebindings", "clusterrolebindings"])
    templates = ("extensions.agents.x-k8s.io", "v1beta1", ["sandboxtemplates"])
    policies: dict[str, tuple[Manifest, Manifest]] = {
        f"{name}-sandboxes": (
            _policy(f"{name}-sandboxes", ("agents.x-k8s.io", "v1beta1", ["sandboxes"]), POD_RULES, off, VARIABLES),
            where,
        ),
        f"{name}-templates": (
            _policy(f"{name}-templates", templates, {**POD_RULES, **TEMPLATE_RULES}, off, VARIABLES),
            where,
        ),
    }
    if "namespaces" in args and not set(BINDING_RULES) <= set(off):
        policies[f"{name}-bindings"] = (_policy(f"{name}-bindings", rbac, BINDING_RULES, off, {}), {})
    return policies


def _policy(
    name: str,
    resources: tuple[str, str, list[str]],
    rules: Mapping[str, Rule],
    off: Iterable[str],
    variables: Mapping[str, str],
) -> Manifest:
    group, version, plurals = resources
    rule = {"apiGroups": [group], "apiVersions": [version], "operations": ["CREATE", "UPDATE"], "resources": plurals}
    left = set(rules) - set(off)
    return {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name, "labels": MANAGED_BY},
        "spec": {
            "failurePolicy": "Fail",
            "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
            "matchConstraints": {"resourceRules": [rule]},
            "variables": [{"name": each, "expression": expression} for each, expression in variables.items()],
            "validations": [
                {"expression": each.expression, "message": f"{key}: {each.message}", "reason": "Forbidden"}
                for key, each in rules.items()
                if key in left
            ],
        },
    }


def _binding(name: str, policy: str, args: SandboxAdmissionArgs, where: Manifest) -> Manifest:
    namespace = args.get("parameters_namespace", SYSTEM_NAMESPACE)
    return {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": policy, "labels": MANAGED_BY},
        "spec": {
            "policyName": policy,
            "paramRef": {"name": name, "namespace": namespace, "parameterNotFoundAction": "Deny"},
            "validationActions": ACTIONS[args.get("enforcement", "deny")],
            **({"matchResources": where} if where else {}),
        },
    }
