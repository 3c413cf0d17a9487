import os

import pytest

from polyseme.server.engine.cores import usable_cores


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of eight cores whose files are the ones given."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return usable_cores(tmp_path)

    return write


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("max 100000", 8),
        ("1600000 100000", 8),
        ("", 8),
    ],
)
def test_a_quota_of_cgroup_v2(machine, quota, expected):
    assert machine(proc__self__cgroup="0::/\n", sys__fs__cgroup__cpu_DOT_max=quota) == expected


def test_the_least_quota_of_the_groups_around_counts(machine):
    files = {
        "proc__self__cgroup": "0::/a/b\n",
        "sys__fs__cgroup__a__b__cpu_DOT_max": "max 100000\n",
        "sys__fs__cgroup__a__cpu_DOT_max": "300000 100000\n",
    }
    assert machine(**files) == 3


def test_a_path_of_the_host_leads_to_the_mount(machine):
    assert machine(proc__self__cgroup="0::/docker/x\n", sys__fs__cgroup__cpu_DOT_max="400000 100000") == 4


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
@pytest.mark.parametrize(("quota", "expected"), [("250000", 3), ("-1", 8)])
def test_a_quota_of_cgroup_v1(machine, mount, quota, expected):
    files = {
        "proc__self__cgroup": "5:memory:/x\n4:cpu,cpuacct:/y\n0::/\n",
        f"sys__fs__cgroup__{mount}__y__cpu_DOT_cfs_quota_us": quota,
        f"sys__fs__cgroup__{mount}__y__cpu_DOT_cfs_period_us": "100000",
    }
    assert machine(**files) == expected


def test_no_control_groups_is_the_affinity(machine):
    assert machine() == 8
