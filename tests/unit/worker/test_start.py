"""What a worker loads before it can do anything."""

import subprocess
import sys


def test_a_worker_starts_without_envoys_builders() -> None:
    source = "import sys, microstax.worker.worker; print('envoy_data_plane' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
