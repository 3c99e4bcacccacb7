from __future__ import annotations

import errno
import signal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dwcp import errors
from dwcp.cli import app, exits, options, output

COMMANDS = ("publish", "follow", "demo", "info")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_documents_the_exit_codes(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert done.exit_code == 0
    shown = " ".join(done.output.split())
    assert " ".join(exits.EPILOG.split()) in shown
    for code in (exits.OK, exits.FAILED, exits.USAGE, exits.UNVERIFIED, exits.INTERRUPTED):
        assert f" {code} " in exits.EPILOG
    assert "--json" in shown


def test_the_epilog_is_the_table_of_the_manual() -> None:
    manual = Path(__file__).parents[2] / "docs" / "cli.md"
    codes = [
        int(line.split("|")[1])
        for line in manual.read_text().splitlines()
        if line.startswith("| ") and line.split("|")[1].strip().isdigit()
    ]
    assert codes == [
        exits.OK,
        exits.FAILED,
        exits.USAGE,
        exits.UNVERIFIED,
        exits.INTERRUPTED,
        exits.TERMINATED,
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["publish"],
        ["publish", "x", "--listen", "7700"],
        ["publish", "x", "--listen", ":7700"],
        ["publish", "x", "--listen", "localhost:70000"],
        ["publish", "x", "--listen", "localhost:-1"],
        ["publish", "x", "--listen", "::1:7700"],
        ["publish", "x", "--codec", "gzip"],
        ["publish", "x", "--interval", "0"],
        ["publish", "x", "--timeout", "5"],
        ["publish", "x", "--token", "a", "--token-file", "b"],
        ["publish", "x", "--token", ""],
        ["publish", "x", "--tls-key", "key.pem"],
        ["follow", "localhost:7700"],
        ["follow", "localhost", "copy"],
        ["follow", "localhost:1", "copy", "--timeout", "-1"],
        ["demo", "--size-mb", "0"],
        ["demo", "--batches", "1"],
        ["info", "--yaml"],
        ["nonsense"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == exits.USAGE, done.output
    assert "Traceback" not in done.output


def test_demo_refuses_a_folder_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    done = CliRunner().invoke(app, ["demo", "--keep", str(tmp_path)])
    assert done.exit_code == exits.USAGE
    assert "not empty" in done.output
    assert (tmp_path / "precious").read_text() == "data"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PeerLost("gone"), exits.FAILED),
        (errors.Closed("closed"), exits.FAILED),
        (errors.Unsupported("version 9"), exits.FAILED),
        (errors.CorruptDelta("bad"), exits.UNVERIFIED),
        (errors.CorruptFrame("bad"), exits.UNVERIFIED),
        (errors.WrongBase("other"), exits.UNVERIFIED),
        (exits.CheckError("differs"), exits.UNVERIFIED),
        (exits.CommandError("late"), exits.FAILED),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), exits.FAILED),
        (MemoryError(), exits.FAILED),
        (ValueError("level must be at most 22"), exits.USAGE),
        (exits.Interrupted(signal.SIGINT), 130),
        (exits.Interrupted(signal.SIGTERM), 143),
    ],
)
def test_each_error_has_its_code_and_one_line(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    @exits.guarded
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        command()
    assert ended.value.exit_code == code
    said = capsys.readouterr().err
    assert said.count("\n") == (0 if isinstance(error, exits.Interrupted) else 1)


def test_a_mistake_in_the_program_keeps_its_traceback() -> None:
    @exits.guarded
    def command() -> None:
        raise KeyError("mistake")

    with pytest.raises(KeyError):
        command()


def test_handlers_of_signals_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with exits.interruptible():
        assert signal.getsignal(signal.SIGTERM) is not before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_once(signum: signal.Signals) -> None:
    with pytest.raises(exits.Interrupted) as caught, exits.interruptible():
        signal.raise_signal(signum)
    assert caught.value.exit_code == 128 + signum


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "copy"), "copy: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device"), "free some space"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (OSError("just\n words"), "just words"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_system_errors_say_what_to_do(error: BaseException, text: str) -> None:
    assert text in exits.explain(error)
    assert "\n" not in exits.explain(error)


def test_the_token_comes_from_option_file_or_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("from file\nsecond line\n")
    monkeypatch.delenv(options.TOKEN_VARIABLE, raising=False)
    assert options.read_token(None, None) is None
    monkeypatch.setenv(options.TOKEN_VARIABLE, "from environment")
    assert options.read_token(None, None) == "from environment"
    assert options.read_token(None, file) == "from file"
    assert options.read_token("from option", None) == "from option"


@pytest.mark.parametrize(
    "address", ["127.0.0.1:7700", "localhost:0", "[::1]:65535", "host.example:1"]
)
def test_good_addresses(address: str) -> None:
    assert options.check_address(address, "--listen") == address


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (output.size(0), "0 B"),
        (output.size(999), "999 B"),
        (output.size(1000), "1.00 kB"),
        (output.size(67_674_112), "67.7 MB"),
        (output.size(9_996_000), "10.0 MB"),
        (output.size(999_600), "1.00 MB"),
        (output.duration(0.0000123), "12 µs"),
        (output.duration(0.0123), "12.3 ms"),
        (output.duration(0.9996), "1.00 s"),
        (output.percent(1, 0), "-"),
        (output.percent(0, 10), "0.00%"),
        (output.percent(1, 400), "0.25%"),
        (output.percent(1, 1_000_000), "<0.01%"),
        (output.ratio(1000, 0), "-"),
        (output.ratio(3, 2), "1.5x"),
        (output.ratio(1_234_567, 1000), "1,235x"),
        (output.rate(2e9, 0.5), "4.00 GB/s"),
        (output.rate(1, 0), "-"),
        (output.digest(255), "00000000000000ff"),
    ],
)
def test_figures_for_people(shown: str, expected: str) -> None:
    assert shown == expected
