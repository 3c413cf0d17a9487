"""The server's reports of itself: metrics, the access log, log lines, traces."""
