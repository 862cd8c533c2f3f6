"""Components for the Kubernetes Agent Sandbox, each usable alone in any Pulumi program.

They read no configuration and no environment: all that they need is in their arguments.
"""

from components._arguments import ArgumentError, Problem
from components._blueprint import VolumeArgs, VolumeClaimArgs
from components._egress import CidrArgs, EgressArgs, PeerArgs
from components._upstream import ManifestError
from components.access import ControllerAppAccess, ControllerAppAccessArgs, KubeconfigArgs
from components.admission import SandboxAdmission, SandboxAdmissionArgs
from components.claim import SandboxClaim, SandboxClaimArgs
from components.controller import AgentSandboxController, AgentSandboxControllerArgs
from components.gateway import SandboxGateway, SandboxGatewayArgs
from components.namespace import PriorityArgs, SandboxNamespace, SandboxNamespaceArgs
from components.observability import Observability, ObservabilityArgs
from components.router import SandboxRouter, SandboxRouterArgs
from components.sandbox import Sandbox, SandboxArgs
from components.template import SandboxTemplate, SandboxTemplateArgs
from components.warm_pool import AutoscalingArgs, MetricArgs, SandboxWarmPool, SandboxWarmPoolArgs

__all__ = [
    "AgentSandboxController",
    "AgentSandboxControllerArgs",
    "ArgumentError",
    "AutoscalingArgs",
    "CidrArgs",
    "ControllerAppAccess",
    "ControllerAppAccessArgs",
    "EgressArgs",
    "KubeconfigArgs",
    "ManifestError",
    "MetricArgs",
    "Observability",
    "ObservabilityArgs",
    "PeerArgs",
    "PriorityArgs",
    "Problem",
    "Sandbox",
    "SandboxAdmission",
    "SandboxAdmissionArgs",
    "SandboxArgs",
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
    "VolumeArgs",
    "VolumeClaimArgs",
]
