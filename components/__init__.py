"""Components for the Kubernetes Agent Sandbox, each usable alone in any Pulumi program.

They read no configuration and no environment: all that they need is in their arguments.
"""

from components._arguments import ArgumentError, Problem
from components._upstream import ManifestError
from components.claim import SandboxClaim, SandboxClaimArgs
from components.controller import AgentSandboxController, AgentSandboxControllerArgs
from components.gateway import SandboxGateway, SandboxGatewayArgs
from components.namespace import SandboxNamespace, SandboxNamespaceArgs
from components.observability import Observability, ObservabilityArgs
from components.router import SandboxRouter, SandboxRouterArgs
from components.template import SandboxTemplate, SandboxTemplateArgs
from components.warm_pool import SandboxWarmPool, SandboxWarmPoolArgs

__all__ = [
    "AgentSandboxController",
    "AgentSandboxControllerArgs",
    "ArgumentError",
    "ManifestError",
    "Observability",
    "ObservabilityArgs",
    "Problem",
    "SandboxClaim",
    "SandboxClaimArgs",
    "SandboxGateway",
    "SandboxGatewayArgs",
    "SandboxNamespace",
    "SandboxNamespaceArgs",
    "SandboxRouter",
    "SandboxRouterArgs",
    "SandboxTemplate",
    "SandboxTemplateArgs",
    "SandboxWarmPool",
    "SandboxWarmPoolArgs",
]
