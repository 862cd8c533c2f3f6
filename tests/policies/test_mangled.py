"""Thousands of inputs that nobody meant: never a crash, never a silent pass of what is recognizably a workload."""

import copy
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from policies.configuration import Configuration
from policies.documents import Unreadable
from policies.inputs import parse
from policies.judge import Finding, Judge
from policies.objects import Object, kubernetes
from policies.pack import policies
from policies.stacks import matters
from policies.testing import Harness, Unknown
from policies.waivers import Waivers, today
from policies.workloads import templates
from tests.policies.cases import CASES, GVISOR_POOL, WRAPPERS, Json, claim, objects, pool, quota, route

SEED = 20261121

SOFT: Json = {
    "hostPID": True,
    "hostNetwork": True,
    "volumes": [{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "projected": {"sources": [{"secret": {}}]}}],
    "nodeSelector": {"a": "b"},
    "tolerations": [{"operator": "Exists"}],
    "securityContext": {"runAsUser": 0, "sysctls": [{"name": "kernel.msgmax", "value": "1"}]},
    "containers": [
        {
            "name": "main",
            "image": "nginx",
            "args": ["--a"],
            "ports": [{"containerPort": 80, "hostPort": 80}],
            "resources": {"limits": {"cpu": 1}},
            "livenessProbe": {"httpGet": {"host": "a", "port": 80}},
            "securityContext": {"privileged": True, "capabilities": {"add": ["SYS_ADMIN"]}},
        },
        {"name": "second", "image": "nginx", "securityContext": {"privileged": True}},
    ],
}

DEEP: Any = []
for _ in range(150):
    DEEP = [DEEP]
JUNK: list[Any] = [
    None, True, False, 0, -1, 1e308, 0.5, 10**30, "", "ALL", "true", "null", "\x00", "\ud800", "é" * 10, "x" * 100_000,
    [], [None], [[]], [{}], {}, {"": ""}, {"a": None}, [1, "a", None, {}, []], {"0": 0}, DEEP, {"spec": {"spec": {}}},
    [{"name": "a"}] * 1_000, {str(i): i for i in range(1_000)}, "04da6b54-80e4-46f7-96ec-b56ff0331ba9", "*", "<<", "=",
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything below `value`."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in entries:
        yield (*path, key)
        yield from places(each, (*path, key))


def mangle(value: Json, source: random.Random) -> Json:
    """A copy with one value, at whatever depth, replaced, moved or removed."""
    made = copy.deepcopy(value)
    *fields, last = source.choice(list(places(made)))
    target: Any = made
    for field in fields:
        target = target[field]
    how = source.random()
    if how < 0.7:
        target[last] = copy.deepcopy(source.choice(JUNK))
    elif how < 0.8 and isinstance(target, dict):
        target[source.choice(JUNK[8:13])] = target.pop(last)
    elif how < 0.9:
        target[last] = [target[last]]
    else:
        target[last] = {"value": target[last]}
    return made


def recognizable(kind: str, mangled: Json) -> bool:
    """A kind that is unknown is recognized by its containers alone."""
    return kind != "Rollout" or bool(templates(kubernetes(mangled)))


def judge(found: list[Object]) -> list[Finding]:
    judged = Judge(Configuration())
    kept = [one for one in found if matters(one)]
    return [*(each for one in found for each in judged.one(one)), *judged.stack(kept)]


def test_a_soft_workload_stays_one_whatever_field_of_it_is_mangled() -> None:
    source = random.Random(SEED)  # noqa: S311 - no secret
    outcomes: Counter[str] = Counter()
    kinds = itertools.cycle(WRAPPERS)
    for _ in range(3_500):
        kind = next(kinds)
        mangled = mangle(WRAPPERS[kind][1]({"labels": {"a": "b"}, "annotations": {"a": "b"}}, SOFT), source)
        try:
            found = list(parse(json.dumps(mangled).encode(), "mangled.json"))
        except Unreadable:
            outcomes["unreadable"] += 1
            continue
        findings = judge(found)
        assert findings or not recognizable(kind, mangled), mangled
        assert all(each.message and isinstance(each.field, str) for each in findings)
        outcomes["judged"] += 1
    assert outcomes["judged"] > 3_000, outcomes


def test_no_rule_of_a_stack_or_a_cloud_resource_crashes() -> None:
    source = random.Random(SEED)  # noqa: S311 - no secret
    everything: list[Any] = [
        *route("HTTP", "gke-l7-rilb", 30),
        *quota(pods="1"),
        claim("nothing"),
        pool(replicas=None),
    ]
    for name in ("openEgress", "openIngress", "accountBinding", "groupBinding"):
        first = CASES[name][1][0]
        assert isinstance(first, list)
        everything += first
    clouds: list[Any] = [case for name in ("workloadIdentity", "nodeImage", "reservedTaint") for case in CASES[name][1]]
    clouds += [("gcp:container/nodePool:NodePool", "prod", GVISOR_POOL)]
    crashed = "is not written as the API has it, so that this rule could not read it"
    told: Counter[str] = Counter()
    for _ in range(150):
        mangled = [mangle(each, source) for each in everything]
        token, stack, inputs = source.choice(clouds)
        found = [*objects(mangled), *objects((token, stack, mangle(inputs, source)))]
        for finding in judge(found):
            told[finding.control.name] += finding.problem == crashed
    # The net under the rules holds; it is not what they rely on.
    assert sum(told.values()) < 150, told


def texts(source: random.Random) -> Iterator[bytes]:
    """YAML that was cut, flipped, nested or written in another encoding."""
    whole = yaml.safe_dump_all([wrap({}, SOFT) for _, wrap in WRAPPERS.values()]).encode()
    for _ in range(400):
        start = source.randrange(len(whole))
        yield whole[start : start + source.randrange(2_000)]
        flipped = bytearray(whole[:2_000])
        for _ in range(source.randint(1, 5)):
            flipped[source.randrange(len(flipped))] = source.randrange(256)
        yield bytes(flipped)
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp037", "latin-1"):
        yield whole.decode().encode(encoding, "replace")
    for depth in (10, 100, 1_000, 100_000):
        yield b"[" * depth
        yield b"[" * depth + b"]" * depth
        yield b'{"a":' * depth + b"1" + b"}" * depth
        yield b"".join(b" " * i + b"a:\n" for i in range(min(depth, 2_000)))
        yield b"- " * depth
    yield from (b"", b"\x00", b"\xff\xfe", b"---\n---\n...\n", b"{}", b"[]", b"null", b"- a: *b", b"a: &a [*a]", b"%")
    yield b"a: !!python/object/apply:os.system [echo]"
    yield b"a: &a [x,x]\n" + b"".join(
        b"%c: &%c [*%c,*%c,*%c,*%c]\n" % (98 + i, 98 + i, *[97 + i] * 4) for i in range(20)
    )
    yield b"a: &a {k: v}\nb:\n  <<: [*a, *a]\n  <<: *a\n"
    yield b"? {a: b}\n: c\n? [d]\n: e\n"


def test_no_text_crashes_the_readers_and_what_cannot_be_read_is_said() -> None:
    count, told = 0, set()
    for text in texts(random.Random(SEED)):  # noqa: S311 - no secret
        count += 1
        for name in ("mangled.yaml", "mangled.json"):
            try:
                judge(list(parse(text, name)))
            except Unreadable as error:
                told.add(str(error))
    assert count > 800
    assert "" not in told
    assert len(told) > 20


def test_the_engine_path_survives_what_a_program_may_send() -> None:
    source = random.Random(SEED)  # noqa: S311 - no secret
    harness = Harness(
        policies(Waivers([], today())), {"pod-security-restricted": "remediate", "undecided": "mandatory"}
    )
    kinds = itertools.cycle(WRAPPERS)
    junk = [each for each in JUNK if not isinstance(each, str) or "\ud800" not in each]  # gRPC carries no such text
    unknowns = [Unknown(str), Unknown(dict), Unknown(list), Unknown(bool)]
    for _ in range(600):
        kind = next(kinds)
        manifest = copy.deepcopy(WRAPPERS[kind][1]({}, SOFT))
        api = manifest.pop("apiVersion")
        manifest.pop("kind")
        *fields, last = source.choice(list(places(manifest)))
        target: Any = manifest
        for field in fields:
            target = target[field]
        target[last] = copy.deepcopy(source.choice([*junk, *unknowns * 4]))
        result = harness.resource(f"kubernetes:{api if '/' in api else f'core/{api}'}:{kind}", manifest)
        assert result.aborted == []
        assert result.violations or not recognizable(kind, manifest), manifest


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "a: {b: [{c: 1, c: 2}]}\n"])
def test_a_key_that_is_written_twice_is_told(text: str) -> None:
    whole = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  {text.replace(chr(10), chr(10) + '  ')}"
    findings = judge(list(parse(whole.encode(), "a.yaml")))
    assert [each.control.name for each in findings] == ["duplicateKeys"]
    assert findings[0].one.source.line_of(findings[0].field) >= 5
