import subprocess
import sys

CODE = """
import numpy as np
from dwcp.replica import Publisher, Replica

state = np.zeros(50_000_000, dtype=np.uint8)
publisher = Publisher(state, codec="zstd")
host, port = publisher.listen()
replica = Replica(f"{host}:{port}")
replica.wait(timeout=20)
state += 1
publisher.publish()
"""


def test_open_objects_do_not_disturb_the_end_of_the_interpreter() -> None:
    result = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
