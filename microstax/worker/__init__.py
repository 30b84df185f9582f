"""The worker: a process that turns the traffic of some Envoys into comparison results.

It asks the control plane for targets, polls each Envoy's tap, pairs and compares, and sends what it found as deltas. It
holds no durable state: killed at any moment, it costs the pairs that were on their way, and the control plane counts
them as a capture gap. Run it as `python -m microstax.worker --control ADDRESS --id NAME`.
"""
