"""The process behind `microstax up --detach`: serves, and tells who started it when it is ready or why it is not."""

import json
import os
import sys
from pathlib import Path

from microstax.control.launch import READY_VARIABLE
from microstax.errors import MicrostaxError


def main() -> int:
    """Serve; arguments are the state folder and, optionally, where to listen."""
    pipe = int(os.environ.pop(READY_VARIABLE))
    os.set_inheritable(pipe, False)  # the function's signature
    folder, *rest = sys.argv[1:]

    def tell(answer: dict[str, object]) -> None:
        os.write(pipe, json.dumps(answer).encode())
        os.close(pipe)

    try:
        from microstax.control.serve import run  # what fails here must be told as well

        return run(Path(folder), listen=rest[0] if rest else None, ready=lambda: tell({"ready": True}))
    except MicrostaxError as error:
        tell({"ready": False, "message": error.message, "exit_code": error.exit_code})
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
