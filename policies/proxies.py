"""What the engine hands a policy, as plain data.

The engine's proxies are neither dict nor list, and touching a value that is not known yet aborts the
policy as if it had passed. A rule gets plain data, in which such a value is UNKNOWN.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from policies.values import UNKNOWN


def plain(value: Any) -> Any:
    """`value` with every proxy replaced by a dict or list, and every unknown by UNKNOWN, at any depth."""
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_item(value, index) for index in range(len(value))]
    return value


def _item(container: Any, key: Any) -> Any:
    try:
        return plain(container[key])
    except UnknownValueError:
        return UNKNOWN
