"""Who may call: TLS, certificates of callers, and tokens."""
