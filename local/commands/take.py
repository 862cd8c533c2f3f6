"""claim and hello: take sandboxes, and see how isolated they are."""

import argparse
import statistics
import time
from collections.abc import Sequence
from datetime import timedelta

from local import claims, nodes
from local.api import Api
from local.console import Failure, out
from local.node import config, lifecycle
from local.node.hello import ask, client
from local.paths import State


def claim(options: argparse.Namespace) -> int:
    state = State.of_checkout()
    if not state.kubeconfig.exists():
        raise Failure("Nothing is up here. Start it with: make up")
    if options.count < 1 or options.keep <= 0:
        raise Failure("make claim: COUNT and MINUTES are numbers above 0.")
    api = Api(state.kubeconfig)
    namespace, pool = claims.pool_namespace(api, options.pool)
    taken: list[claims.Claimed] = []
    held: list[str] = []
    try:
        for number in range(options.count):
            if number and lifecycle.is_real(state):  # it has room for a few, and makes the next one in seconds
                claims.release(api, namespace, held.pop())
                claims.wait_until_full(api, namespace, pool)
            got = claims.claim(api, namespace, pool, timedelta(minutes=options.keep))
            taken.append(got)
            held.append(got.claim)
            how = "warm" if got.warm else "cold"
            out.print(f"  {got.claim}: sandbox {got.sandbox} on {got.node}, {how}, ready after {got.seconds:.3f} s")
    finally:
        if options.count > 1:
            for name in held:
                claims.release(api, namespace, name)
    if options.count > 1:
        _print_series(taken)
    else:
        out.print(
            f"It is deleted in {options.keep:g} minutes, or by:"
            f" kubectl delete sandboxclaim -n {namespace} {taken[0].claim}"
        )
    return 0


def _print_series(taken: Sequence[claims.Claimed]) -> None:
    seconds = [got.seconds for got in taken]
    warm = sum(got.warm for got in taken)
    out.print(
        f"time to Ready, {len(taken)} in a row: median {statistics.median(seconds):.3f} s, "
        f"least {min(seconds):.3f} s, most {max(seconds):.3f} s; {warm} of them warm"
    )


def hello(_: argparse.Namespace) -> int:
    state = State.of_checkout()
    if nodes.recorded(state) != "gvisor":
        raise Failure(
            "There is no real node here, and a simulated one runs no commands.\n"
            "  On Linux, as root: make down, then make up NODE=gvisor."
        )
    api = Api(state.kubeconfig)
    namespace, pool = claims.pool_namespace(api, None)
    with client(state) as upstream:
        started = time.monotonic()
        sandbox = upstream.create_sandbox(pool, namespace, sandbox_ready_timeout=claims.PATIENCE)
        out.print(f"A sandbox of {namespace}/{pool} is ready after {time.monotonic() - started:.3f} s.\n")
        answers = []
        for answer in ask(sandbox.commands.run, config.NodeSettings.read(state).api_port):
            answers.append(answer)
            out.print(f"  {'✓' if answer.well else '✗'} {answer.question.ljust(34)}  {answer.said}", markup=False)
    if bad := [each.question for each in answers if not each.well]:
        raise Failure(f"Not as it should be: {', '.join(bad)}.\n  Run nothing here that you do not trust.")
    out.print("\nThe sandbox has a kernel of its own, no rights, no token, and no way to anything inside.")
    return 0
