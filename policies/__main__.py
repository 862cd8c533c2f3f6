"""The pack as the engine runs it."""

import sys
from pathlib import Path

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the engine runs this file, not the package

from policies.pod_security import RULES
from policies.values import plain
from policies.workloads import holds_pods, kind_of, pod_specs


def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Every rule of the topic over every pod spec; one policy, since the engine decodes a resource for each."""
    kind = kind_of(args.resource_type)
    if not holds_pods(kind):
        return
    for path, spec in pod_specs(kind, plain(args.props)):
        for name, rule in RULES.items():
            for violation in rule(spec):
                report(f"{name}: {kind} {args.name}: {path}.{violation.field} {violation.message}.", None)


PolicyPack(
    name="agent-sandbox",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        ResourceValidationPolicy(
            name="pod-security-restricted",
            description="Pods, wherever they are declared, meet the restricted Pod Security Standard.",
            validate=validate,
        )
    ],
)
