"""The process behind `microstax up --detach`: serves, and tells who started it when it is ready or why it is not."""

import json
import os
import sys
import traceback
from pathlib import Path

from microstax.control.launch import READY_VARIABLE
from microstax.control.layout import LOG_FILE
from microstax.errors import EXIT_FAULT, MicrostaxError


def main() -> int:
    """Serve; arguments are the state folder and, as JSON, where to listen and what is borne."""
    pipe = int(os.environ.pop(READY_VARIABLE))
    os.set_inheritable(pipe, False)  # the function's signature
    folder, text = sys.argv[1:]

    told: list[int] = []

    def tell(answer: dict[str, object]) -> None:
        if not told:  # what fails after the start has nobody who waits for it
            told.append(os.write(pipe, json.dumps(answer).encode()))
            os.close(pipe)

    try:
        from microstax.control.guard import Limits  # what fails here must be told as well
        from microstax.control.serve import run

        options = json.loads(text)
        limits = Limits(**options["limits"]) if options["limits"] else None
        return run(Path(folder), listen=options["listen"], limits=limits, ready=lambda: tell({"ready": True}))
    except MicrostaxError as error:
        tell({"ready": False, "message": error.message, "exit_code": error.exit_code})
        return error.exit_code
    except Exception as error:  # noqa: BLE001  # a mistake of ours: a sentence to the user, the traceback to the log
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        message = f"The control plane could not start ({what}): {Path(folder) / LOG_FILE} has the details; report them."
        tell({"ready": False, "message": message, "exit_code": EXIT_FAULT})
        return EXIT_FAULT


if __name__ == "__main__":
    sys.exit(main())
