"""The components as a multi-language package: `pulumi package add <this folder>` makes an SDK for any language.

The schema comes from the same definitions that Python programs use.
"""

import inspect
import sys
from pathlib import Path

import pulumi
from pulumi.provider.experimental import component_provider_host

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the engine runs this file, not the package

import components

if __name__ == "__main__":
    offered = [getattr(components, name) for name in components.__all__]
    component_provider_host(
        name="agent-sandbox",
        components=[each for each in offered if inspect.isclass(each) and issubclass(each, pulumi.ComponentResource)],
    )
