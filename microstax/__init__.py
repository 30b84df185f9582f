"""Traffic shadowing: what would a branch have done to production's traffic, without production noticing."""

__version__ = "0.1.0"
