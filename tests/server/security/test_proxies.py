import ipaddress

import pytest

from polyseme.server.errors import ConfigError
from polyseme.server.security.proxies import TrustedProxies, peer_address, site_of


@pytest.mark.parametrize(
    ("peer", "site"),
    [
        ("ipv4:10.0.0.7:50123", "10.0.0.7"),
        ("ipv6:%5B::1%5D:50123", "::/64"),
        ("ipv6:%5B2001:db8:0:5:1:2:3:4%5D:50123", "2001:db8:0:5::/64"),
        ("ipv6:%5B::ffff:10.0.0.7%5D:50123", "10.0.0.7"),
        ("ipv6:%5Bfe80::1%25eth0%5D:50123", "fe80::/64"),
    ],
)
def test_a_peer_is_its_address_without_the_port(peer, site):
    assert site_of(peer_address(peer)) == site


@pytest.mark.parametrize("peer", ["unix:/run/it.sock", "unix:", "", "ipv4:", "ipv4:x:1"])
def test_a_peer_may_have_no_address(peer):
    assert peer_address(peer) is None


@pytest.mark.parametrize(
    ("forwarded_for", "caller"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),  # what a caller says of itself comes first
        ("1.1.1.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),  # over two proxies
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("10.1.2.3", None),
        ("1.1.1.1, unknown", None),
        ("", None),
    ],
)
def test_the_caller_is_the_last_that_is_no_trusted_proxy(forwarded_for, caller):
    found = TrustedProxies("10.1.0.0/16, 192.168.0.1").caller_of(forwarded_for)
    assert found == (caller and ipaddress.ip_address(caller))


def test_proxies_are_those_listed():
    proxies = TrustedProxies("10.1.0.0/16,192.168.0.1")
    assert peer_address("ipv4:10.1.9.9:1") in proxies
    assert peer_address("ipv4:10.2.0.1:1") not in proxies
    assert None not in proxies
    assert not TrustedProxies("")


@pytest.mark.parametrize("listed", ["proxy.local", "10.0.0.1/33", "10.0.0.1/8", "10.0.0.1;10.0.0.2"])
def test_what_is_no_address_is_refused(listed):
    with pytest.raises(ConfigError, match=r"--trusted-proxies: .*10\.0\.0\.7 or 10\.1\.0\.0/16"):
        TrustedProxies(listed)
