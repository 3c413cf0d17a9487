"""The command `polyseme`: one module for each subcommand, which imports what it needs when it runs."""

import sys

if sys.argv[1:2] == ["serve"]:  # before anything else is imported: until then a SIGHUP ends the process
    from polyseme.server.lifecycle.signals import hold_signals

    hold_signals()
