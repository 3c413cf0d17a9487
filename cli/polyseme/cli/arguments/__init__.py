"""Arguments that several subcommands take."""
