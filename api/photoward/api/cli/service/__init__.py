"""The embedded service: its programs, how they are started, restarted and stopped."""
