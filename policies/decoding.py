"""Decodes what the engine sends once a request, and not anew for each policy that looks at it.

pulumi-policy 1.21 turns all of a request into Python data again for every policy, which took most of the time that a
pack of this many topics cost. Its own functions do the work here too; their results are kept until the request is
answered. Everything is as before where they are not there to be found.
"""

import functools
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pulumi_policy.policy

server: Any = pulumi_policy.policy
"""Its server, which has no official name."""

Kept = dict[tuple[str, int], tuple[Any, Any]]
"""Results by what made them and the identity of what they were made from, which is kept alive with them."""


class _Request(threading.local):
    """What was decoded for the request that this thread answers; None between requests."""

    kept: Kept | None = None


_request = _Request()


def once(name: str, make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`make`, called once a request for each object."""

    def made(source: Any) -> Any:
        if _request.kept is None:
            return make(source)
        key = (name, id(source))
        if key not in _request.kept:
            _request.kept[key] = (source, make(source))
        return _request.kept[key][1]

    return made


def install(trims: Mapping[str, Callable[[Any], None]]) -> None:
    """Make pulumi-policy's server decode each message once a request, and nothing that no policy looks at.

    For each of the server's methods, `trims` has what takes out of a resource the properties that are not needed.
    """
    deserialize = server.deserialize_properties
    plainly = once("properties", deserialize)

    def deserialize_once(properties: dict[str, Any], proxy_secrets: bool = False) -> Any:
        return deserialize(properties, True) if proxy_secrets else plainly(properties)

    server.json_format = SimpleNamespace(MessageToDict=once("message", server.json_format.MessageToDict))
    server.deserialize_properties = deserialize_once
    server.unknown_checking_proxy = once("proxy", server.unknown_checking_proxy)
    for method, trim in trims.items():
        answer = getattr(server._PolicyAnalyzerServicer, method)
        setattr(server._PolicyAnalyzerServicer, method, _sparing(answer, trim))


def _sparing(answer: Callable[..., Any], trim: Callable[[Any], None]) -> Callable[..., Any]:
    @functools.wraps(answer)
    def answered(servicer: Any, request: Any, context: Any) -> Any:
        for resource in getattr(request, "resources", [request]):
            trim(resource)
        _request.kept = {}
        try:
            return answer(servicer, request, context)
        finally:
            _request.kept = None

    return answered
