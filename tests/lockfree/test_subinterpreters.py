"""Interpreters inside a process: used where they share everything, refused where they do not."""

import subprocess
import sys

SCRIPT = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
code = "from dwcp import lockfree; q = lockfree.MpmcQueue(3); q.put(5); print('got', q.get())"
run = getattr(interpreters, "exec", None) or interpreters.run_string
try:
    failure = run(interpreters.create(), code)
    if failure is not None:
        print(failure.msg)
except RuntimeError as error:
    print(error)
"""


def test_an_interpreter_of_its_own_works_or_is_refused_by_an_import_error() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if sys.version_info >= (3, 12):
        assert "does not support loading in subinterpreters" in done.stdout
    else:
        assert done.stdout == "got 5\n"
