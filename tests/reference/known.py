"""Cases that are not right yet: export gives what the foreign programs do not, or refuses what is sound.

Every entry is a fault. A test fails when one of them is right, so that the list becomes empty.
"""

_FAULTS: dict[str, tuple[str, ...]] = {}
KNOWN = {name: fault for fault, names in _FAULTS.items() for name in names}
