"""The fake CUDA runtime as tests see it: what was called, how often, and how a device is made to fail.

It has to be what the loader finds: LD_LIBRARY_PATH, as `make test-cuda` sets it.
"""

import collections
import ctypes
import re
from contextlib import contextmanager
from functools import cache

LAUNCHES, PRODUCTS, COPIES, ALLOCATIONS, SYNCHRONIZATIONS, REPLAYS = range(6)
"""Counters, as in runtime/fake.h."""

WRONG = (
    "FORBIDDEN",
    "SPOILED",
    "NOT DEVICE MEMORY",
    "STALE ADDRESS",
    "WRONG",
    "INVALID",
    "NO CODE",
    "UNEXPECTED",
    "NOT COMPUTED",
)
"""What stands in lines of the journal that a device would have refused, or computed nonsense for."""


class Runtime:
    """libcudart.so.13, where it is the fake one."""

    def __init__(self):
        self._library = library = ctypes.CDLL("libcudart.so.13")
        library.fake_line.restype, library.fake_line.argtypes = ctypes.c_char_p, [ctypes.c_long]
        library.fake_lines.restype = library.fake_counter.restype = ctypes.c_long
        library.fake_kernels.restype = library.fake_kernels_without_code.restype = ctypes.c_long
        library.fake_used.restype = ctypes.c_size_t
        library.fake_most.argtypes = [ctypes.c_size_t]
        library.fake_break.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long]
        library.fake_hang.argtypes = [ctypes.c_int, ctypes.c_long]

    @contextmanager
    def journal(self):
        """Gives a list that has all lines at the end."""
        lines = []
        self._library.fake_clear_journal()
        self._library.fake_keep_journal(1)
        try:
            yield lines
        finally:
            self._library.fake_keep_journal(0)
            lines += [self._library.fake_line(i).decode() for i in range(self._library.fake_lines())]

    @contextmanager
    def computing(self):
        """Compute what is launched meanwhile, and what is replayed; some billion operations a second."""
        self._library.fake_compute(1)
        try:
            yield
        finally:
            self._library.fake_compute(0)

    def count(self, counter):
        """How often something was done since the process began."""
        return self._library.fake_counter(counter)

    def used(self, device=0):
        """Bytes of a device that are taken."""
        return self._library.fake_used(device)

    def limit(self, size):
        """Let each device have so many bytes."""
        self._library.fake_most(size)

    def break_with(self, error, counter=LAUNCHES, after=1):
        """Fail with an error for ever, once a counter has gone up so often; 0: mend."""
        self._library.fake_break(error, counter, after)

    def hang(self, counter=REPLAYS, after=1):
        """Let whoever waits for a stream wait, once a counter has gone up so often; 0: let them go."""
        self._library.fake_hang(counter, after)

    def kernels(self):
        """How many there are, and how many of them have no code for this architecture."""
        return self._library.fake_kernels(), self._library.fake_kernels_without_code()


@cache
def _demangler():
    demangle = ctypes.CDLL("libstdc++.so.6").__cxa_demangle
    demangle.restype = ctypes.c_void_p
    return demangle


@cache
def readable(name):
    """A kernel's name as its source has it, without arguments."""
    status = ctypes.c_int()
    address = _demangler()(name.encode(), None, None, ctypes.byref(status))
    return ctypes.string_at(address).decode() if address else name


def launched(lines):
    """How often each kernel was launched, by its readable name."""
    found = (re.search(r"launch (\S+) on device", line) for line in lines)
    return collections.Counter(readable(match[1]) for match in found if match)


def wrong(lines):
    """Lines that should not be there."""
    return [line for line in lines if any(mark in line for mark in WRONG)]
