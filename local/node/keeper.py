"""The node's one process outside of the box: starts the box, and is its only way in and out.

It carries bytes between the two networks, and nothing else does:

- from the box to the API server on this machine's loopback, at the address that Kubernetes gives it,
- from the API server to the kubelet, as the HTTP CONNECT proxy that its egress settings name,
- from this machine's loopback to a ready pod of the sandbox router.

It also looks after the node's volumes, whose folders lie outside of the box.

A socket belongs to the network that the process was in when it was made, so a thread that has entered
the box's network makes those that lead there. When the keeper ends, the box ends with it.
"""

import asyncio
import contextlib
import ctypes
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from local.api import Api, ApiError, holds
from local.console import Failure
from local.node import cgroups, config, volumes
from local.node.config import NodeSettings
from local.paths import CHECKOUT, State

CLONE_NEWNET = 0x40000000
IP_FREEBIND = 15
INTERVAL = 1.0
"""Seconds between two looks at the router's pods and at the volumes."""
ROUTER_PODS = "/api/v1/namespaces/agent-sandbox-system/pods"
ROUTER_LABEL = "app.kubernetes.io/name=sandbox-router"
ROUTER_PORT = 8080

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class BoxNetwork:
    """Sockets of the box's network, made by a thread that lives in it."""

    def __init__(self, process: int) -> None:
        self._thread = ThreadPoolExecutor(1, initializer=functools.partial(_enter_network, process))

    async def socket(self) -> socket.socket:
        return await asyncio.get_running_loop().run_in_executor(self._thread, socket.socket)

    async def connect(self, host: str, port: int) -> Stream:
        made = await self.socket()
        made.setblocking(False)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(made, (host, port)), 10)
        except BaseException:
            made.close()
            raise
        return await asyncio.open_connection(sock=made)


def _enter_network(process: int) -> None:
    with open(f"/proc/{process}/ns/net", "rb") as network:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(network.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "cannot enter the box's network")


async def carry(inside: Stream, outside: Stream) -> None:
    """Carry bytes both ways until both ends are done."""

    async def one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(1 << 16):
                writer.write(block)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    try:
        await asyncio.gather(one_way(inside[0], outside[1]), one_way(outside[0], inside[1]))
    finally:
        inside[1].close()
        outside[1].close()


Connect = Callable[[Stream], Awaitable[Stream]]


async def serve(listening: socket.socket, connect: Connect) -> asyncio.Server:
    """Carry each connection to `listening` to where `connect` leads; drop it if that leads nowhere."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = (reader, writer)
        try:
            target = await connect(client)
        except (OSError, ApiError, ValueError, asyncio.IncompleteReadError, LookupError, TimeoutError):
            writer.close()
            return
        await carry(client, target)

    listening.listen(128)
    listening.setblocking(False)
    if listening.family == socket.AF_UNIX:
        return await asyncio.start_unix_server(handle, sock=listening)
    return await asyncio.start_server(handle, sock=listening)


class Keeper:
    """The ways in and out of one node."""

    def __init__(self, state: State, settings: NodeSettings, network: BoxNetwork) -> None:
        self.state = state
        self.settings = settings
        self.network = network
        self.api = Api(state.kubeconfig)
        self._router = ""

    async def open(self) -> list[asyncio.Server]:
        api = await self.network.socket()
        api.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)  # the box gets this address in a moment
        api.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        api.bind((config.API_ADDRESS, 443))
        path = config.egress_socket(self.state)
        path.unlink(missing_ok=True)
        proxy = socket.socket(socket.AF_UNIX)
        proxy.bind(str(path))
        path.chmod(0o600)
        router = socket.socket()
        router.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        router.bind(("127.0.0.1", _last_port(self.state)))
        port_file(self.state).write_text(json.dumps(router.getsockname()[1]))
        return [
            await serve(api, self._to_api_server),
            await serve(proxy, self._where_the_api_server_asks),
            await serve(router, self._to_router),
        ]

    async def _to_api_server(self, _: Stream) -> Stream:
        return await asyncio.open_connection("127.0.0.1", self.settings.api_port)

    async def _where_the_api_server_asks(self, client: Stream) -> Stream:
        request = (await client[0].readuntil(b"\r\n\r\n")).split(b" ", 2)
        host, _, port = request[1].decode().rpartition(":")
        if request[0] != b"CONNECT":
            raise ValueError("not a CONNECT request")
        target = await self.network.connect(host, int(port))
        client[1].write(b"HTTP/1.1 200 OK\r\n\r\n")
        return target

    async def _to_router(self, _: Stream) -> Stream:
        if not self._router:
            await asyncio.to_thread(self._find_router)
        return await self.network.connect(self._router, ROUTER_PORT)

    def _find_router(self) -> None:
        pods = self.api.items(ROUTER_PODS, labelSelector=ROUTER_LABEL)
        self._router = [str(pod["status"]["podIP"]) for pod in pods if holds(pod, "Ready")][0]  # noqa: RUF015

    async def look_after(self) -> None:
        """Know where the router is before anyone asks, and offer volumes, for as long as the node runs."""
        while True:
            for duty in (self._find_router, lambda: volumes.offer(self.api, self.state)):
                with contextlib.suppress(ApiError, LookupError):  # away for a moment, or not there yet
                    await asyncio.to_thread(duty)
            await asyncio.sleep(INTERVAL)


def port_file(state: State) -> Path:
    """Holds the port on loopback that leads to the router; the same again after a restart where that is free."""
    return config.folder(state) / "router-port.json"


def _last_port(state: State) -> int:
    try:
        port: int = json.loads(port_file(state).read_text())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except (OSError, ValueError):
        return 0
    return port


def start_box(state: State) -> "subprocess.Popen[bytes]":
    """The box with its init; it dies with this process, whatever this one dies of."""
    namespaces = ["--mount", "--cgroup", "--net", "--pid", "--uts", "--ipc"]
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, "--fork", "--kill-child", "--mount-proc"]
    return subprocess.Popen([*command, sys.executable, "-m", "local.node.init", str(state.root)], cwd=CHECKOUT)


def first_process(box: "subprocess.Popen[bytes]") -> int:
    """The process id, as seen from here, of the box's init."""
    deadline = time.monotonic() + 10
    while box.poll() is None and time.monotonic() < deadline:
        if children := psutil.Process(box.pid).children():
            return children[0].pid
        time.sleep(0.01)
    raise Failure("the box did not start; see node.log")


async def keep(state: State, settings: NodeSettings, box: "subprocess.Popen[bytes]", first: int) -> None:
    keeper = Keeper(state, settings, BoxNetwork(first))
    servers = await keeper.open()
    looking = asyncio.create_task(keeper.look_after())
    await asyncio.to_thread(box.wait)
    looking.cancel()
    for server in servers:
        server.close()


def main(state: State) -> int:
    settings = NodeSettings.read(state)
    record = config.folder(state) / "cgroups.json"
    cgroups.join([Path(path) for path in json.loads(record.read_text())])
    box = start_box(state)
    signal.signal(signal.SIGTERM, lambda *_: box.kill())
    first = first_process(box)
    if settings.machine.cgroup_v2:
        inner = Path(json.loads(record.read_text())[0]) / "init"
        inner.mkdir(exist_ok=True)
        for process in (os.getpid(), box.pid):
            (inner / "cgroup.procs").write_text(str(process))
    asyncio.run(keep(state, settings, box, first))
    return box.returncode


if __name__ == "__main__":
    sys.exit(main(State(Path(sys.argv[1]))))
