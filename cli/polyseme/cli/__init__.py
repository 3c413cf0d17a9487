"""The command `polyseme`: one module per subcommand, each importing its part only when it runs."""
