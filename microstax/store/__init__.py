"""What the control plane remembers: the desired state and the results of comparing.

`port` is the interface, `sqlite` keeps it on disk, `memory` is the fake that ships beside it. Nothing here knows what
an Envoy, a process or a verdict is; aggregates and pair records are bytes.
"""
