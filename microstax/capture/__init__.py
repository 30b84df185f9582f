"""From Envoy's tap to pairs: poll, cut into traces, decode, redact, pair. Compares nothing and stores nothing.

Only `poller` does I/O. What leaves this package is redacted.
"""
