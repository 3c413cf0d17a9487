"""Cases that are not right yet: export gives what the foreign programs do not, or refuses what is sound.

Every entry is a fault. A test fails when one of them is right, so that the list becomes empty.
"""

_FAULTS = {
    "5. Defaults of the model's authors": (
        "prompt/excluded",
        "prompt/excluded-bytes",
        "prompt/excluded-cls",
        "prompt/excluded-default",
        "prompt/excluded-max",
    ),
}
KNOWN = {name: fault for fault, names in _FAULTS.items() for name in names}
