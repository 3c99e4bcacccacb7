"""Exit codes of the commands, and how errors and signals become one of them.

Every command is wrapped by `guarded`: errors that a user can meet become one line on stderr and
a documented exit code. Anything else is a mistake in this program and keeps its traceback.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import ParamSpec

import typer

OK = 0
FAILED = 1
USAGE = 2
UNVERIFIED = 3
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM

EPILOG = (
    "Exit codes: 0 done; 1 failed while running (peer lost, refused, time out, disk full, port in "
    "use); 2 wrong usage; 3 verification failed; 130 ended by Ctrl-C; 143 ended by SIGTERM."
)

_ADVICE = {
    errno.ENOSPC: "free some space and start again: a replica resumes from its last state",
    errno.EDQUOT: "the quota is used up; free some space and start again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}

P = ParamSpec("P")


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM arrived while a command ran.

    Parameters
    ----------
    signum
        Number of the signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """The shell's convention: 128 and the number of the signal."""
        return 128 + self.signum


class CheckError(Exception):
    """What arrived is not what was sent; ends a command with `UNVERIFIED`."""


class CommandError(Exception):
    """A failure with a message meant for the user; ends a command with `FAILED`."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let the first SIGINT or SIGTERM raise `Interrupted`, and a second one end the process.

    Use it in the main thread only: Python delivers signals nowhere else.
    """

    def stop(signum: int, frame: FrameType | None) -> None:
        del frame
        # Cleaning up may hang on something that is broken; then the user's second try must work.
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_DFL)
        raise Interrupted(signum)

    previous = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)


def explain(error: BaseException) -> str:
    """One line that says what failed and, where it is known, what to do."""
    if not isinstance(error, OSError) or error.errno is None:
        text = str(error) or type(error).__name__
        return " ".join(text.split())
    reason = error.strerror or os.strerror(error.errno)
    text = " ".join(reason.split())
    if error.filename is not None:
        text = f"{os.fsdecode(error.filename)}: {text}"
    advice = _ADVICE.get(error.errno)
    return f"{text} ({advice})" if advice and advice not in text else text


def _exit_code(error: BaseException) -> int | None:
    """Return the code for an error, or None where the mistake is this program's."""
    from dwcp import errors

    if isinstance(error, Interrupted):
        return error.exit_code
    if isinstance(error, (CheckError, errors.CorruptDelta, errors.CorruptFrame, errors.WrongBase)):
        return UNVERIFIED
    if isinstance(error, (CommandError, errors.Error, OSError, MemoryError)):
        return FAILED
    # The library's word for an argument out of its bounds.
    return USAGE if isinstance(error, ValueError) else None


def guarded(function: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command: its errors end it with one line on stderr and a documented code."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with interruptible():
                function(*args, **kwargs)
            return
        except (Exception, Interrupted) as error:
            if isinstance(error, (typer.Exit, typer.Abort, typer.BadParameter)):
                raise
            code = _exit_code(error)
            if code is None:
                raise
            if isinstance(error, BrokenPipeError):
                _discard_output()
            elif not isinstance(error, Interrupted):
                print(f"dwcp: {explain(error)}", file=sys.stderr)
        # Raised out here it does not carry the error, whose frames would keep alive until the end
        # of the interpreter what the command had opened.
        raise typer.Exit(code)

    return run


def _discard_output() -> None:
    """End quietly when whoever read the output went away, as in ``dwcp publish ... | head``."""
    # The interpreter flushes stdout once more at exit and would complain.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
