"""The management API seen from both of its ends: messages, the table of methods, and a client.

The server is `microstax.control`, the clients are `microstax.cli` and `microstax.worker`; all three read the same
table, so that a method cannot be spelled in two ways. Nothing here decides anything.
"""
