"""Set the wall clock of a process, with a library that is compiled from `wallclock.c` if needed.

LD_PRELOAD loads the library into a process. The library adds an offset to every reading of the wall
clock: Python's `time.time` and `datetime.now`, and PostgreSQL's `now()`. It does not change the
monotonic clock, which timeouts use. libfaketime does not work here, because Python's `time.sleep`
fails with it.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")


def missing() -> str | None:
    """Return why this machine cannot compile the library, or None if it can."""
    return None if shutil.which("cc") else "no C compiler (cc) on the PATH"


class WallClock:
    """The wall clock of one server, as an offset in seconds from the true time.

    Args:
        folder: the folder for the library and the file with the offset. All users must be able to
            read the folder.
        name: the name of this clock, which must be unique in the folder.
    """

    def __init__(self, folder: Path, name: str, *, offset: float = 0) -> None:
        self._library = folder / "wallclock.so"
        self._file = folder / f"{name}.clock"
        if not self._library.exists():
            command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(self._library), str(_SOURCE)]
            subprocess.run(command, check=True, capture_output=True)
        self._file.write_bytes(bytes(8))
        self._file.chmod(0o644)
        self.set(offset)

    def set(self, offset: float) -> None:
        """Change the offset of the clock. Running processes see the change at once."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", round(offset * 1_000_000)))

    def variables(self) -> dict[str, str]:
        """Return the environment variables of a process that uses this clock."""
        return {"LD_PRELOAD": str(self._library), "PROOF_CLOCK": str(self._file)}
