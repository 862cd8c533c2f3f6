"""Taking sandboxes out of a warm pool, and how long that takes."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, Queue

from local.api import EXTENSIONS, SANDBOXES, Api, ApiError, Json
from local.console import Failure

PATIENCE = 60
"""Seconds after which a claim that is not ready counts as failed."""


@dataclass(frozen=True)
class Claimed:
    """A claim that is ready."""

    claim: str
    sandbox: str
    node: str
    seconds: float
    """From sending the claim to hearing that it is ready."""
    warm: bool
    """Whether the sandbox had been waiting in the pool, rather than being made for the claim."""


def pool_namespace(api: Api, pool: str | None) -> tuple[str, str]:
    """The namespace and name of the warm pool to claim from. Raises Failure if that is not clear."""
    pools = api.items(f"{EXTENSIONS}/sandboxwarmpools")
    found = [each for each in pools if pool in (None, each["metadata"]["name"])]
    if len(found) == 1:
        return found[0]["metadata"]["namespace"], found[0]["metadata"]["name"]
    names = ", ".join(sorted(each["metadata"]["name"] for each in pools)) or "none"
    if pool is None:
        raise Failure(
            f"There is not exactly one warm pool here (there are: {names}).\n  Name one: make claim POOL=<name>"
        )
    raise Failure(f"There is no warm pool {pool} (there are: {names}).")


def claim(api: Api, namespace: str, pool: str, keep: timedelta) -> Claimed:
    """Take a sandbox and wait until it is ready; it is deleted after `keep`. Raises Failure."""
    name = f"claim-{secrets.token_hex(3)}"
    path = f"{EXTENSIONS}/namespaces/{namespace}/sandboxclaims"
    ends = (datetime.now(UTC) + keep).strftime("%Y-%m-%dT%H:%M:%SZ")
    body: Json = {
        "apiVersion": "extensions.agents.x-k8s.io/v1beta1",
        "kind": "SandboxClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"warmPoolRef": {"name": pool}, "lifecycle": {"shutdownTime": ends, "shutdownPolicy": "Delete"}},
    }
    events: Queue[Json] = Queue()
    watch = threading.Thread(target=_watch, args=(api, path, name, events.put), daemon=True)
    watch.start()
    events.get(timeout=PATIENCE)  # the watch is open
    started = time.monotonic()
    api.create(path, body)
    last: Json = {}
    while (left := started + PATIENCE - time.monotonic()) > 0:
        try:
            last = events.get(timeout=left)["object"]
        except Empty:
            break
        if _condition(last, "Ready") == "True":
            seconds = time.monotonic() - started
            return _describe(api, namespace, last, seconds)
    raise Failure(
        f"The claim {name} is not ready after {PATIENCE} s: {_reason(last)}.\n"
        "  See `make status` for the pool and the controller, and `make logs`."
    )


def release(api: Api, namespace: str, name: str) -> None:
    api.delete(f"{EXTENSIONS}/namespaces/{namespace}/sandboxclaims/{name}")


def wait_until_full(api: Api, namespace: str, pool: str) -> None:
    """Wait until as many sandboxes of the pool are ready as it is to hold. Raises Failure."""
    path = f"{EXTENSIONS}/namespaces/{namespace}/sandboxwarmpools/{pool}"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = api.get(path)
        if found.get("status", {}).get("readyReplicas", 0) >= found["spec"].get("replicas", 0):
            return
        time.sleep(0.2)
    raise Failure(f"The warm pool {namespace}/{pool} is not full again after {PATIENCE} s; see `make status`.")


def _watch(api: Api, path: str, name: str, put: Callable[[Json], None]) -> None:
    try:
        put({})
        for event in api.watch(path, PATIENCE, fieldSelector=f"metadata.name={name}"):
            put(event)
    except ApiError:
        return  # whoever waits gives up in time


def _describe(api: Api, namespace: str, claim_object: Json, seconds: float) -> Claimed:
    name = claim_object["status"]["sandbox"]["name"]
    sandbox = api.get(f"{SANDBOXES}/namespaces/{namespace}/sandboxes/{name}")
    launch = sandbox["metadata"].get("labels", {}).get("agents.x-k8s.io/launch-type", "")
    return Claimed(
        claim_object["metadata"]["name"], name, sandbox.get("status", {}).get("nodeName", ""), seconds, launch == "warm"
    )


def _condition(item: Json, kind: str) -> str:
    conditions = item.get("status", {}).get("conditions", [])
    return next((str(each["status"]) for each in conditions if each["type"] == kind), "Unknown")


def _reason(item: Json) -> str:
    conditions = item.get("status", {}).get("conditions", [])
    return (
        "; ".join(f"{each['type']} {each['status']}: {each.get('message', '')}" for each in conditions)
        or "nothing was heard of it"
    )
