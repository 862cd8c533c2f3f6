"""The pack as the engine runs it."""

import sys
from collections.abc import Callable
from pathlib import Path

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the engine runs this file, not the package

from policies import pod_security
from policies.pod_security import Rule
from policies.values import plain
from policies.workloads import kind_of, pod_specs


def validation(rule: Rule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        kind = kind_of(args.resource_type)
        for path, spec in pod_specs(kind, plain(args.props)) if kind else ():
            for violation in rule(spec):
                report(f"{kind} {args.name}: {path}.{violation.field} {violation.message}.", None)

    return validate


PolicyPack(
    name="agent-sandbox",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        ResourceValidationPolicy(name=name, description=str(rule.__doc__), validate=validation(rule))
        for name, rule in pod_security.RULES.items()
    ],
)
