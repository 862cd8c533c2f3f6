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
from components.gke.artifact_registry import ArtifactRegistry, ArtifactRegistryArgs
from components.gke.autopilot_cluster import AutopilotCluster, AutopilotClusterArgs
from components.gke.fleet import Fleet, FleetArgs
from components.gke.gvisor_node_pool import GvisorNodePool, GvisorNodePoolArgs
from components.gke.identity import SandboxIdentity, SandboxIdentityArgs
from components.gke.kata_node_pool import KataNodePool, KataNodePoolArgs
from components.gke.network import Network, NetworkArgs
from components.gke.node_identity import NodeIdentity, NodeIdentityArgs
from components.gke.project_services import ProjectServices, ProjectServicesArgs
from components.gke.router_export import RouterExport, RouterExportArgs
from components.gke.snapshots import PodSnapshots, PodSnapshotsArgs
from components.gke.standard_cluster import StandardCluster, StandardClusterArgs
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
    "ArtifactRegistry",
    "ArtifactRegistryArgs",
    "AutopilotCluster",
    "AutopilotClusterArgs",
    "AutoscalingArgs",
    "CidrArgs",
    "ControllerAppAccess",
    "ControllerAppAccessArgs",
    "EgressArgs",
    "Fleet",
    "FleetArgs",
    "GvisorNodePool",
    "GvisorNodePoolArgs",
    "KataNodePool",
    "KataNodePoolArgs",
    "KubeconfigArgs",
    "ManifestError",
    "MetricArgs",
    "Network",
    "NetworkArgs",
    "NodeIdentity",
    "NodeIdentityArgs",
    "Observability",
    "ObservabilityArgs",
    "PeerArgs",
    "PodSnapshots",
    "PodSnapshotsArgs",
    "PriorityArgs",
    "Problem",
    "ProjectServices",
    "ProjectServicesArgs",
    "RouterExport",
    "RouterExportArgs",
    "Sandbox",
    "SandboxAdmission",
    "SandboxAdmissionArgs",
    "SandboxArgs",
    "SandboxClaim",
    "SandboxClaimArgs",
    "SandboxGateway",
    "SandboxGatewayArgs",
    "SandboxIdentity",
    "SandboxIdentityArgs",
    "SandboxNamespace",
    "SandboxNamespaceArgs",
    "SandboxRouter",
    "SandboxRouterArgs",
    "SandboxTemplate",
    "SandboxTemplateArgs",
    "SandboxWarmPool",
    "SandboxWarmPoolArgs",
    "StandardCluster",
    "StandardClusterArgs",
    "VolumeArgs",
    "VolumeClaimArgs",
]
