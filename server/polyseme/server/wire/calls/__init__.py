"""The path of every call of every contract, before and after its method."""
