"""Write the seed inputs of every target to corpus/TARGET/: run it after a target's format has changed."""

from hashlib import blake2b
from pathlib import Path
from typing import Final

from hostile.target import NAMES, load

CORPUS: Final = Path(__file__).parent / "corpus"


def main() -> None:
    """Write what is missing and remove what no target gives any more."""
    for name in NAMES:
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {blake2b(seed, digest_size=6).hexdigest(): seed for seed in load(name).seeds()}
        for path in folder.iterdir():
            if path.name not in wanted:
                path.unlink()
        for key, seed in wanted.items():
            (folder / key).write_bytes(seed)


if __name__ == "__main__":
    main()
