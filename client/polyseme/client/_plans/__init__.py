"""Every operation of the SDK as a plan that both clients drive. No I/O."""
