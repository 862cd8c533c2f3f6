"""Runs Python programs for an engine that has no Python language host, as one built from source has none.

With it, plain `pulumi` works wherever `eval "$(make -s env)"` was said. The SDK's own server for inline
programs does the work; what the official host has beyond that, virtual environments and installation,
is done by the project's bootstrap.
"""

import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import language_pb2, language_pb2_grpc


class LanguageHost(LanguageServer):
    """Runs the program, or the policy pack, in the folder that the engine names."""

    def __init__(self, engine_address: str) -> None:
        super().__init__(lambda: None)
        self._engine_address = engine_address
        self.runs = False

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name, as below
        """Run the program to its end."""
        folder = request.info.program_directory
        entry, arguments = os.path.join(folder, request.info.entry_point), list(request.args)

        def program() -> None:
            os.chdir(request.pwd)
            sys.argv = [entry, *arguments]
            sys.path.insert(0, folder)
            runpy.run_path(os.path.join(entry, "__main__.py") if os.path.isdir(entry) else entry, run_name="__main__")

        self.program = program
        request.args[:] = [self._engine_address]  # where the SDK's server looks for it
        self.runs = True
        try:
            result = super().Run(request, context)  # type: ignore[no-untyped-call]
        finally:
            self.runs = False
        result.bail = bool(result.error)  # it is logged already; the engine need not say it again
        return result

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Run a policy pack as a process of its own, and pass on what it prints."""
        started = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.policy", *request.args, request.info.program_directory],
            cwd=request.pwd,
            env={**os.environ, **dict(entry.split("=", 1) for entry in request.env)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(started.kill)
        printed: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def read(stream: IO[bytes], name: str) -> None:
            for line in stream:
                printed.put({name: line})
            printed.put(None)

        for name in ("stdout", "stderr"):
            threading.Thread(target=read, args=(getattr(started, name), name), daemon=True).start()
        for _ in range(2):  # until both streams have ended
            for part in iter(printed.get, None):
                yield language_pb2.RunPluginResponse(**part)
        yield language_pb2.RunPluginResponse(exitcode=started.wait())


def main(engine_address: str) -> None:
    """Serve on a free port of loopback, say which, and end with the engine."""
    engine = os.getppid()
    host = LanguageHost(engine_address)
    server = grpc.server(ThreadPoolExecutor(max_workers=8), options=_GRPC_CHANNEL_OPTIONS)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # Ctrl-C reaches this process too, but then it is the engine's to end the program in good order.
    signal.signal(signal.SIGINT, lambda *_: None if host.runs else os._exit(0))
    print(port, flush=True)  # noqa: T201 - what the engine reads first
    while server.wait_for_termination(timeout=1.0) and os.getppid() == engine:
        pass  # an engine that was killed could not say that it goes
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[-1])
