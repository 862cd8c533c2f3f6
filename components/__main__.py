"""The components as a multi-language package: `pulumi package add <this folder>` makes an SDK for any language.

The schema comes from the same definitions that Python programs use.
"""

import inspect
import sys
from pathlib import Path
from typing import Any

import pulumi
from pulumi.provider import main
from pulumi.provider.experimental.component import ComponentProvider

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the engine runs this file, not the package

import components


class Package(ComponentProvider):
    """The SDK's provider of components, which knows a whole number when it sees one."""

    def map_inputs(self, inputs: Any, component_def: Any) -> Any:
        """Inputs by their names in Python."""
        return whole(super().map_inputs(inputs, component_def))


def whole(value: Any) -> Any:
    """`value` with its numbers as Python has them: the engine sends every number as a float."""
    if isinstance(value, dict):
        return {key: whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


if __name__ == "__main__":
    offered = [getattr(components, name) for name in components.__all__]
    kinds = [each for each in offered if inspect.isclass(each) and issubclass(each, pulumi.ComponentResource)]
    main(Package(kinds, "agent-sandbox"), sys.argv[1:])
