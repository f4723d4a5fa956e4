"""The maintainer's scripts by name: ``python -m course dev mistakes`` is ``python -m course.dev.mistakes``."""

import runpy
import sys
from collections.abc import Sequence

SCRIPTS = (
    "fresh", "matrix", "mistakes", "browser", "sizes", "site", "site.look", "export_decoders", "waits", "measured",
)  # fmt: skip


def run(name: str, arguments: Sequence[str]) -> None:
    """Run one script with its own arguments, as if it had been called by itself.

    Raises:
        ValueError: There is no such script.
    """
    if name not in SCRIPTS:
        raise ValueError(f"there is no script {name!r}: expected one of {', '.join(SCRIPTS)}")
    module = f"course.dev.{name.replace('-', '_')}"
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)
