"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# A busy machine is slow at generating, too: no test fails on a clock.
settings.register_profile("microstax", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("microstax")
