"""Generate microstax/generated from proto/, or (--check) tell whether it is current.

wire/        minimal, wire-compatible forms of Envoy's discovery and tap messages; protobuf (upb) stubs, since they
             are on the hot path
management/  the management API; betterproto2 dataclasses, and a descriptor set for gRPC server reflection
"""

import filecmp
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES, TARGET = ROOT / "proto", ROOT / "microstax" / "generated"


def protoc(*arguments: str) -> None:
    """Run protoc; a failure ends the script with protoc's own message."""
    # The betterproto2 plugin is a program beside this interpreter; a virtual environment need not be activated.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [sys.executable, "-m", "grpc_tools.protoc", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "PATH": path})
    if done.returncode:
        sys.exit(done.stderr)


def generate(target: Path) -> None:
    """Write all generated code below `target`."""
    wire, management = target / "wire", target / "management"
    for folder in (target, wire, management):
        folder.mkdir(parents=True, exist_ok=True)
    (target / "__init__.py").write_text("")
    (wire / "__init__.py").write_text("")
    for proto in sorted((SOURCES / "wire").glob("*.proto")):
        protoc(f"-I{SOURCES / 'wire'}", f"--python_out={wire}", f"--pyi_out={wire}", str(proto))
    protos = [str(path) for path in sorted((SOURCES / "management").glob("*.proto"))]
    if protos:
        include = f"-I{SOURCES / 'management'}"
        options = "--python_betterproto2_opt=client_generation=none,server_generation=none"
        protoc(include, f"--python_betterproto2_out={management}", options, *protos)
        protoc(include, f"--descriptor_set_out={management / 'descriptors.binpb'}", "--include_imports", *protos)


def differing(left: Path, right: Path) -> list[str]:
    """Return the relative paths of files that differ or exist on one side only."""

    def files(root: Path) -> set[str]:
        return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts}

    names = files(left) | files(right)
    return sorted(
        n
        for n in names
        if not ((left / n).exists() and (right / n).exists() and filecmp.cmp(left / n, right / n, shallow=False))
    )


def main() -> None:
    """Generate, or check with --check."""
    if "--check" not in sys.argv[1:]:
        generate(TARGET)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        stale = differing(Path(folder), TARGET)
    if stale:
        sys.exit(f"generated code is not current ({', '.join(stale)}): run 'make proto' and commit the result")


if __name__ == "__main__":
    main()
