"""What `python -m local` offers; the Makefile's targets are these commands."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from local.commands import deploy, look, take, tools
from local.console import Failure, say
from local.stacks import STACK


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit status."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except Failure as error:
        say(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted. What was done is kept; the same command goes on from there.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="The Agent Sandbox platform on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    up = command("up", deploy.up, "Bring the local stack up on an embedded control plane.")
    up.add_argument("--config-file", type=Path, metavar="FILE", help="use FILE instead of Pulumi.local.yaml")
    up.add_argument("--refresh", action="store_true", help="look for changes made behind Pulumi's back first")
    preview = command("preview", deploy.preview, "Show what `up` would change.")
    preview.add_argument("--config-file", type=Path, metavar="FILE", help="use FILE instead of Pulumi.local.yaml")
    for each in (up, preview):
        each.add_argument("--node", help="simulated, the default, or gvisor: a real node, on Linux as root")
    destroy = command("destroy", deploy.destroy, "Delete the stack's resources; the control plane stays.")
    destroy.add_argument("--config-file", type=Path, metavar="FILE")
    down = command("down", deploy.down, "End and delete everything that `up` made, but for the tools.")
    shown = command("status", look.status, "Say whether the platform is well; exit 1 if not.")
    shown.add_argument("--stack", default=STACK, metavar="NAME", help="of the stack in Pulumi.NAME.yaml (local)")
    shown.add_argument("--config-file", type=Path, metavar="FILE", help="of the stack in FILE")
    shown.add_argument("--json", action="store_true", help="print it as JSON")
    shown.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="of a real cluster, as the stack's output has it"
    )
    for one in (up, preview, destroy, down):
        one.add_argument("--stack", default=STACK, help="a GKE stack, on a stand-in for Google Cloud (default: local)")
    taken = command("claim", take.claim, "Take sandboxes out of a warm pool, and say how long it took.")
    taken.add_argument("--pool", help="the warm pool, where there are several")
    taken.add_argument(
        "--count", type=int, default=1, metavar="N", help="take N, one after the other, and give them back"
    )
    taken.add_argument("--keep", type=float, default=10, metavar="MINUTES", help="delete the claim after so long (10)")
    command("hello", take.hello, "Run a command in a sandbox on a real node, and ask how isolated it is.")
    logs = command("logs", look.logs, "Print the logs of everything that runs.")
    logs.add_argument("name", nargs="?", help="only this one: etcd, kube-apiserver, agent-sandbox-controller, ...")
    logs.add_argument("--lines", type=int, default=20, metavar="N", help="the last N lines of each (20)")
    logs.add_argument("--follow", action="store_true", help="go on printing what comes")
    command("kubeconfig", look.kubeconfig, "Print the kubeconfig's path.")
    command("env", look.env, "Print the environment for pulumi and kubectl, for `eval`.")
    doctor = command("doctor", tools.doctor, "List every tool: version, origin, path.")
    doctor.add_argument("--json", action="store_true", help="print it as JSON")
    fetch = command("toolchain", tools.toolchain, "Get every tool that is missing.")
    for each in (doctor, fetch):
        each.add_argument("--node", default="simulated", help="with those of this kind of node: simulated or gvisor")
    release = command("release", tools.release, "Show what an upstream release would change, and pin its checksum.")
    release.add_argument("version", help="the release, as in v1.0.2")
    release.add_argument(
        "--from", dest="place", metavar="PLACE", help="a folder, or a mirror of upstream's release page"
    )
    release.add_argument("--dry-run", action="store_true", help="only show")
    return parser
