"""The command `polyseme`: one module for each subcommand, which imports what it needs when it runs."""
