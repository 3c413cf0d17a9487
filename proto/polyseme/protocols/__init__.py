"""Contracts of other servers, of which polyseme has a part: same packages, names and numbers, so that clients find them.

Their descriptors are in pools of their own: a program may import a client with its own copy of such a contract.
"""
