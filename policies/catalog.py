"""Every topic of the pack, in the order of its reports."""

from policies import (
    consistency,
    gke_cluster,
    gke_node_pool,
    pod_security_baseline,
    pod_security_restricted,
    router_exposure,
    sandbox_hardening,
    sandbox_network,
    sandbox_rbac,
    supply_chain,
    well_formed,
)
from policies.controls import Control, Topic

TOPICS: dict[str, Topic] = {
    module.TOPIC.name: module.TOPIC
    for module in (
        well_formed,
        pod_security_baseline,
        pod_security_restricted,
        sandbox_hardening,
        sandbox_network,
        sandbox_rbac,
        router_exposure,
        gke_cluster,
        gke_node_pool,
        supply_chain,
        consistency,
    )
}

UNDECIDED = "undecided"
"""The policy that reports what cannot be told yet, whatever the topic; its level decides whether that fails."""

UNDECIDED_STACK = f"{UNDECIDED}-stack"
"""The same for rules about the whole stack, which the engine judges apart."""

WAIVERS = "waivers"
"""The policy that reports waivers which are expired or of no use."""


def controls() -> dict[str, tuple[Topic, Control]]:
    """Every control by its name, which is unique in the pack, with its topic."""
    return {control.name: (topic, control) for topic in TOPICS.values() for control in topic.controls.values()}
