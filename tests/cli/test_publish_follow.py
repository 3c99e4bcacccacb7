from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dwcp.replica import Publisher, open_snapshot

from .conftest import Command, Start, environment, run

SIZE = 256 << 10


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "replica"
    folder.mkdir()
    return folder / "copy"


def change(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def state(copy: Path) -> bytes:
    with open_snapshot(copy) as snapshot:
        return os.pread(snapshot.fileno(), SIZE * 4, 0)


def publishing(
    start: Start, source: Path, *options: str, **changes: str | None
) -> tuple[Command, str]:
    command = start(
        "publish", source, "--listen", "127.0.0.1:0", "--interval", "0.01", *options, **changes
    )
    event = command.wait("listening")
    assert event["port"] > 0
    return command, f"{event['host']}:{event['port']}"


def test_each_change_of_the_file_reaches_the_copy(start: Start, source: Path, copy: Path) -> None:
    publisher, address = publishing(start, source)
    follower = start("follow", address, copy)
    first = follower.wait("applied")
    assert state(copy) == source.read_bytes()
    assert first["state_bytes"] == SIZE
    publisher.wait("replica_connected")

    change(source, 1000, b"changed once")
    second = follower.wait("applied", lambda event: event["sequence"] > first["sequence"])
    assert state(copy) == source.read_bytes()
    published = publisher.wait("published", lambda event: event["sequence"] == second["sequence"])
    assert published["digest"] == second["digest"]
    assert 0 < published["changed_bytes"] <= len(b"changed once")
    assert published["wire_bytes"] < 1000
    assert published["state_bytes"] == SIZE
    done = publisher.wait("acknowledged", lambda event: event["sequence"] == second["sequence"])
    assert done["replicas"] == 1

    assert follower.end()[0] == 143
    publisher.wait("replica_left")
    assert publisher.end()[0] == 143


def test_a_file_of_another_size_is_a_new_state(start: Start, source: Path, copy: Path) -> None:
    _, address = publishing(start, source)
    follower = start("follow", address, copy)
    follower.wait("applied")
    with source.open("ab") as file:
        file.write(b"longer")
    follower.wait("applied", lambda event: event["state_bytes"] == SIZE + 6)
    assert state(copy) == source.read_bytes()
    os.truncate(source, 100)
    follower.wait("applied", lambda event: event["state_bytes"] == 100)
    assert state(copy) == source.read_bytes()


def test_a_file_put_in_its_place_is_published(start: Start, source: Path, copy: Path) -> None:
    _, address = publishing(start, source)
    follower = start("follow", address, copy)
    first = follower.wait("applied")
    other = source.with_name("other")
    other.write_bytes(os.urandom(SIZE))
    other.replace(source)
    follower.wait("applied", lambda event: event["digest"] != first["digest"])
    assert state(copy) == source.read_bytes()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_both_commands_cleanly(
    start: Start, source: Path, copy: Path, signum: signal.Signals
) -> None:
    publisher, address = publishing(start, source)
    follower = start("follow", address, copy)
    follower.wait("applied")
    for command in (follower, publisher):
        code, said = command.end(signum)
        assert (code, said) == (128 + signum, "")
        assert command.names()[-1] == "stopped"
    assert state(copy) == source.read_bytes()


def test_once_ends_both_commands_when_the_state_is_there(
    start: Start, source: Path, copy: Path
) -> None:
    publisher, address = publishing(start, source, "--once", "--timeout", "20")
    done = run("follow", address, copy, "--once", "--timeout", "20")
    assert (done.returncode, done.stderr) == (0, "")
    assert state(copy) == source.read_bytes()
    assert publisher.finish() == (0, "")


def test_a_killed_follower_resumes_by_a_delta(start: Start, source: Path, copy: Path) -> None:
    publisher, address = publishing(start, source)
    follower = start("follow", address, copy)
    first = follower.wait("applied")
    before = state(copy)
    follower.kill()
    assert state(copy) == before

    change(source, 5000, b"while nobody looked")
    publisher.wait("published", lambda event: event["sequence"] > first["sequence"])
    again = start("follow", address, copy)
    applied = again.wait("applied")
    assert again.wait("resumed")["sequence"] == first["sequence"]
    assert "keyframe" not in again.names()
    assert applied["wire_bytes"] < 1000
    assert state(copy) == source.read_bytes()


def test_a_lost_publisher_is_followed_again(start: Start, source: Path, copy: Path) -> None:
    publisher, address = publishing(start, source)
    follower = start("follow", address, copy)
    first = follower.wait("applied")
    publisher.kill()
    follower.wait("reconnecting")
    change(source, 0, b"second publisher")
    second = start("publish", source, "--listen", address)
    second.wait("listening")
    follower.wait("applied", lambda event: event["digest"] != first["digest"])
    assert state(copy) == source.read_bytes()


def test_the_digest_names_the_state(start: Start, source: Path, copy: Path) -> None:
    from dwcp import checksum

    _, address = publishing(start, source)
    applied = start("follow", address, copy).wait("applied")
    assert applied["digest"] == f"{checksum.crc64nvme(source.read_bytes()):016x}"
    assert hashlib.sha256(state(copy)).digest() == hashlib.sha256(source.read_bytes()).digest()


def test_a_wrong_token_is_refused(start: Start, source: Path, copy: Path, tmp_path: Path) -> None:
    _, address = publishing(start, source, DWCP_TOKEN="right")
    for token in ("wrong", None):
        done = run("follow", address, copy, "--once", "--timeout", "20", DWCP_TOKEN=token)
        assert done.returncode == 1
        assert "token" in done.stderr
        assert done.stderr.count("\n") == 1
        assert not copy.exists()
    file = tmp_path / "token"
    file.write_text("right\n")
    done = run("follow", address, copy, "--once", "--timeout", "20", "--token-file", file)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_copy_has_one_follower(start: Start, source: Path, copy: Path) -> None:
    _, address = publishing(start, source)
    start("follow", address, copy).wait("applied")
    done = run("follow", address, copy, "--once")
    assert done.returncode == 1
    assert "another replica" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_in_use_is_one_line(source: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("publish", source, "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "Port 0" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text"), [("missing", "No such file"), (".", "folder"), ("pipe", "neither")]
)
def test_what_cannot_be_published_is_one_line(tmp_path: Path, name: str, text: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run("publish", tmp_path / name, "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_vanishes_ends_the_publisher(start: Start, source: Path) -> None:
    publisher, _ = publishing(start, source)
    source.unlink()
    code, said = publisher.finish()
    assert code == 1
    assert "No such file" in said
    assert said.count("\n") == 1


def test_an_unreachable_publisher_is_given_up_on(copy: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = run("follow", f"127.0.0.1:{port}", copy, "--once", "--timeout", "0.5")
    assert done.returncode == 1
    assert "0.5 seconds" in done.stderr
    assert "refused" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not copy.exists()


def test_listening_beyond_loopback_needs_tls_or_consent(start: Start, source: Path) -> None:
    done = run("publish", source, "--listen", "0.0.0.0:0")
    assert done.returncode == 2
    assert "insecure" in done.stderr
    assert done.stderr.count("\n") == 1
    publishing(start, source, "--listen", "0.0.0.0:0", "--insecure")


def test_bad_tls_files_are_one_line(source: Path, tmp_path: Path) -> None:
    done = run("publish", source, "--tls-cert", tmp_path / "none.pem")
    assert done.returncode == 1
    assert "none.pem: No such file" in done.stderr
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    done = run("publish", source, "--tls-cert", bad)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_a_full_disk_is_one_line_and_leaves_no_half_copy(
    start: Start, source: Path, tmp_path: Path
) -> None:
    _, address = publishing(start, source)
    disk = tmp_path / "disk"
    disk.mkdir()
    # A mount that only this process sees; half as large as the state.
    script = (
        f'mount -t tmpfs -o size={SIZE // 2} tmpfs "$1" && shift && "$@"; '
        'code=$?; ls "${0}"; exit $code'
    )
    private: list[str | Path] = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        script,
        disk,
        disk,
    ]
    follow = [sys.executable, "-m", "dwcp", "follow", address, f"{disk}/copy", "--once"]
    done = subprocess.run(
        [*private, *follow],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment({}),
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no private mounts here: {done.stderr.strip()}")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert f"{disk}/copy" in done.stderr
    assert "free some space" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "copy" not in done.stdout.splitlines()


def test_copy_that_is_current_already_satisfies_once(tmp_path: Path) -> None:
    source = tmp_path / "state.bin"
    source.write_bytes(b"state" * 1000)
    copy = tmp_path / "copy.bin"
    with Publisher.from_file(source) as publisher:
        host, port = publisher.listen()
        for kind in ("applied", "current"):
            done = run("follow", f"{host}:{port}", copy, "--once", "--timeout", "20", "--json")
            assert (done.returncode, done.stderr) == (0, "")
            assert f'"{kind}"' in done.stdout
    assert copy.read_bytes() == source.read_bytes()
