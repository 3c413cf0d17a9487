"""What subcommands print on a terminal, and write into files."""
