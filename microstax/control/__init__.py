"""The control plane: the desired state and its one writer, the management API in front of it, wiring and shutdown.

An operation commits a change to the state; plans, processes, Envoy resources and worker targets are rebuilt from the
state that results, never patched. Nothing here compares, parses a trace or speaks xDS.
"""
