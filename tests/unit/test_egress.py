"""What a sandbox may reach: what is listed, and nothing private or secret that was not opened by its own name."""

import ipaddress
from typing import Any

import pytest

from components._blueprint import BlueprintArgs
from components._egress import DEFAULT, PRIVATE, EgressArgs, dns_fields, egress_rules, ingress_rules
from components._pods import pod_spec

SECRET = ("10.0.0.1", "100.64.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1", "198.18.0.1", "240.0.0.1")


def reaches(egress: EgressArgs, address: str, port: int = 443) -> bool:
    """Whether the rules let a packet through, by NetworkPolicy's semantics for address blocks."""
    target = ipaddress.ip_address(address)
    for rule in egress_rules(egress):
        ports = [each["port"] for each in rule.get("ports", [{"port": port}])]
        for peer in rule["to"]:
            block = peer.get("ipBlock")
            if block is None or port not in ports or target not in ipaddress.ip_network(block["cidr"]):
                continue
            if not any(target in ipaddress.ip_network(each) for each in block.get("except", ())):
                return True
    return False


@pytest.mark.parametrize("address", [*SECRET, "fd00::1", "fe80::1", "64:ff9b::a9fe:a9fe", "fd20:ce::254"])
@pytest.mark.parametrize(
    "egress",
    [DEFAULT, {}, {"cidrs": [{"cidr": "0.0.0.0/0"}, {"cidr": "::/0"}]}, {"cidrs": [{"cidr": "128.0.0.0/1"}]}],
    ids=["default", "nothing", "everything", "half of everything"],
)
def test_private_ranges_and_the_metadata_server_are_closed(egress: EgressArgs, address: str) -> None:
    assert not reaches(egress, address, 80)


def test_by_default_the_internet_is_open_as_the_controller_has_it() -> None:
    assert reaches(DEFAULT, "140.82.112.1")
    assert reaches(DEFAULT, "2606:4700::1")


def test_what_is_listed_closes_the_rest_of_the_internet() -> None:
    egress: EgressArgs = {"cidrs": [{"cidr": "140.82.112.0/20", "ports": [443], "exceptions": ["140.82.113.0/24"]}]}
    assert reaches(egress, "140.82.112.1")
    assert not reaches(egress, "140.82.112.1", 22)
    assert not reaches(egress, "140.82.113.1")
    assert not reaches(egress, "1.2.3.4")


def test_a_private_range_is_opened_by_its_name_alone() -> None:
    egress: EgressArgs = {"private_cidrs": [{"cidr": "10.1.0.0/16", "ports": [5432]}]}
    assert reaches(egress, "10.1.2.3", 5432)
    assert not reaches(egress, "10.2.0.1", 5432)
    assert not reaches(egress, "169.254.169.254", 80)


def test_the_metadata_server_is_opened_by_its_name_alone() -> None:
    assert reaches({"unsafe_metadata_server": True}, "169.254.169.254", 80)
    assert reaches({"unsafe_metadata_server": True}, "169.254.169.252", 988)
    assert not reaches({"unsafe_metadata_server": True}, "169.254.1.1", 80)


@pytest.mark.parametrize(("dns", "told"), [("public", True), ("none", True), ("cluster", False), ("cloud-dns", False)])
def test_who_may_reach_the_metadata_server_finds_it_by_name_whoever_resolves(dns: str, told: bool) -> None:
    alias = {"ip": "169.254.169.254", "hostnames": ["metadata.google.internal"]}
    own = {"ip": "203.0.113.1", "hostnames": ["models.example"]}
    pod = {"containers": [{"name": "main", "image": "registry.example/app:v1"}], "hostAliases": [own]}
    args: BlueprintArgs = {"namespace": "n", "pod": pod, "egress": {"dns": dns, "unsafe_metadata_server": True}}
    assert pod_spec(args)["hostAliases"] == [own, *([alias] if told else [])]
    assert "hostAliases" not in pod_spec({"namespace": "n", "image": "registry.example/app:v1"})


@pytest.mark.parametrize(
    ("dns", "resolver"), [("public", "8.8.8.8"), ("node-cache", "169.254.20.10"), ("cloud-dns", "169.254.169.254")]
)
def test_a_resolver_is_open_for_questions_and_nothing_else(dns: str, resolver: str) -> None:
    assert reaches({"dns": dns}, resolver, 53)
    assert not reaches({"dns": dns}, resolver, 80)


def test_the_clusters_resolver_opens_no_address_at_all() -> None:
    (rule,) = egress_rules({"dns": "cluster"})
    assert [list(peer) for peer in rule["to"]] == [["namespaceSelector", "podSelector"]]
    assert {each["port"] for each in rule["ports"]} == {53}


def test_without_dns_nothing_is_open_at_all() -> None:
    assert egress_rules({"dns": "none"}) == []


def test_rules_for_one_family_hold_no_block_of_the_other() -> None:
    egress: EgressArgs = {"internet": True, "ip_families": ["IPv4"]}
    (rule,) = egress_rules(egress)
    assert [peer["ipBlock"]["cidr"] for peer in rule["to"]] == ["0.0.0.0/0"]
    assert dns_fields(egress)["dnsConfig"]["nameservers"] == ["8.8.8.8", "1.1.1.1"]


def test_every_exception_lies_within_its_block_as_the_api_server_demands() -> None:
    egress: EgressArgs = {"internet": True, "cidrs": [{"cidr": "192.0.0.0/2"}, {"cidr": "8.0.0.0/7"}]}
    for rule in egress_rules(egress):
        for peer in rule["to"]:
            outer = ipaddress.ip_network(peer["ipBlock"]["cidr"])
            for inner in peer["ipBlock"].get("except", ()):
                assert ipaddress.ip_network(inner).subnet_of(outer)  # type: ignore[arg-type]
                assert inner != peer["ipBlock"]["cidr"]


def test_services_are_chosen_by_namespace_and_labels_together() -> None:
    (rule,) = egress_rules({"services": [{"namespace": "db", "labels": {"app": "pg"}, "ports": [5432]}], "dns": "none"})
    assert rule == {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "db"}},
                "podSelector": {"matchLabels": {"app": "pg"}},
            }
        ],
        "ports": [{"port": 5432, "protocol": "TCP"}],
    }


def test_the_router_comes_in_and_clients_that_are_named() -> None:
    router, client = ingress_rules([{"namespace": "apps", "ports": [8888]}], "edge")
    peer: dict[str, Any] = router["from"][0]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "edge"}
    assert peer["podSelector"]["matchLabels"] == {"app": "sandbox-router"}
    assert client["ports"] == [{"port": 8888, "protocol": "TCP"}]


def test_what_is_private_here_holds_all_that_the_controllers_default_closes() -> None:
    closed = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"}
    assert closed <= {each for ranges in PRIVATE.values() for each in ranges}
