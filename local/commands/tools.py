"""doctor, toolchain and release: the tools that the rest runs, and the upstream release that it deploys."""

import argparse
import json
import sys

from local import nodes
from local.console import out, say
from local.nodes import Simulated
from local.paths import CACHE, State
from local.stacks import check_settings
from local.toolchain import ensure, look
from local.tools import all_tools


def doctor(options: argparse.Namespace) -> int:
    wanted = [*all_tools(), *nodes.kind(options.node).tools]
    found = look(tools=wanted)
    rows = [(tool, found.get(tool.name)) for tool in wanted]
    if options.json:
        entries = {
            tool.name: {"version": here.version, "origin": here.origin, "path": str(here.path)} if here else None
            for tool, here in rows
        }
        print(json.dumps(entries, indent=2))
    else:
        lines = [("tool", "version", "origin", "path")]
        for tool, here in rows:
            details = (here.version, here.origin, str(here.path)) if here else (tool.version, "missing", "-")
            lines.append((tool.name, *details))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        out.print(f"\nPython {sys.version.split()[0]} at {sys.executable}\nCache: {CACHE}")
    if len(found) < len(rows):
        say(f"Some are missing; `make toolchain{_asked(options.node)}` gets them.")
        return 1
    return 0


def toolchain(options: argparse.Namespace) -> int:
    node = nodes.kind(options.node)
    node.check(State.of_checkout())
    tools = ensure(node.tools)
    if not isinstance(node, Simulated):
        node.prepare(tools, check_settings(None))
    out.print(f"All {len(tools.found)} tools are there; `make doctor{_asked(options.node)}` lists them.")
    return 0


def release(options: argparse.Namespace) -> int:
    import releases
    from local.release import changes, pin
    from local.release import look as look_at

    candidate = look_at(options.version, options.place or releases.RELEASE_PAGE)
    for line in changes(candidate):
        out.print(line, markup=False)
    if options.dry_run:
        out.print(f"\nNothing was pinned. Its sha256 is {candidate.sha256}")
        return 0
    out.print(f"\n{pin(candidate)}")
    out.print(f"A stack installs it with agent-sandbox:controller: {{release: {candidate.version}}}", markup=False)
    return 0


def _asked(node: str) -> str:
    return "" if node == Simulated.name else f" NODE={node}"
