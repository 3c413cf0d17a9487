"""StreamEmbed from the asking side, as plans. No I/O."""
