"""The Agent Sandbox controller alone, made ready for bursts of claims."""

import pulumi

import components
import releases

release = releases.default()
release.fetch()  # or name a manifest of your own: a path or an https address, with its sha256

components.AgentSandboxController(
    "controller",
    {
        "manifest": str(release.manifest_path),
        "sha256": release.sha256,
        "image": release.controller_image,
        # "image_registry": "europe-docker.pkg.dev/my-project/mirror",
        "profile": "high-throughput",
        "tuning": {"sandbox_warm_pool_max_refill_rate": 50.0},  # sandboxes a second, so that refills leave room
        "api_fairness": {},
    },
)
pulumi.export("release", release.version)
