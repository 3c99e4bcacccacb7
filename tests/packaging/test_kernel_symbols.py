"""The check of the kernel objects fails where it should."""

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
CHECK = REPOSITORY / "ci" / "check-kernel-symbols"
TIER = "avx2"

# Each is added to the real kernels and compiled with the real flags.
INLINE_FUNCTION = """
namespace dwcp {
inline int planted_inline(int x) { return x + 1; }
extern int (*planted_pointer)(int);
}
static int (*const planted_use)(int) __attribute__((used)) = dwcp::planted_inline;
"""
TEMPLATE_INSTANCE = """
namespace dwcp {
template <typename T> T planted_template(T x) { return x + 1; }
template int planted_template<int>(int);
}
"""
INLINE_VARIABLE = """
namespace dwcp {
inline int planted_variable = 1;
}
static int* const planted_use __attribute__((used)) = &dwcp::planted_variable;
"""
UNIQUE_OBJECT = """
namespace dwcp {
template <typename T> struct planted_holder { static inline T value = 1; };
}
static int* const planted_use __attribute__((used)) = &dwcp::planted_holder<int>::value;
"""
PLAIN_EXPORT = """
namespace dwcp {
int planted_export(int x);
int planted_export(int x) { return x + 1; }
}
"""


@dataclass(frozen=True)
class Compilation:
    """How the kernels of one instruction set are compiled."""

    command: list[str]
    folder: Path
    source: Path

    def compile(self, source: Path, target: Path) -> None:
        """Compiles `source` in place of the kernels to `target`."""
        target.parent.mkdir(parents=True)
        command = list(self.command)
        command[command.index("-o") + 1] = str(target)
        command[command.index(str(self.source))] = str(source)
        subprocess.run(command, cwd=self.folder, check=True, timeout=120)


@pytest.fixture(scope="module")
def compilation(tmp_path_factory: pytest.TempPathFactory) -> Compilation:
    build = tmp_path_factory.mktemp("build")
    subprocess.run(
        [
            *("cmake", "-S", REPOSITORY, "-B", build, "-G", "Ninja"),
            *("-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", f"-DDWCP_ISA_LIST=scalar;{TIER}"),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    for entry in json.loads((build / "compile_commands.json").read_text()):
        command = shlex.split(entry["command"])
        if f"dwcp_kernels_{TIER}.dir" in entry["command"]:
            return Compilation(command, Path(entry["directory"]), Path(entry["file"]))
    pytest.fail(f"no compile command for the kernels of {TIER}")


def checked(
    compilation: Compilation, folder: Path, addition: str
) -> "subprocess.CompletedProcess[str]":
    """The result of the check on the kernels with `addition` at their end."""
    source = folder / "planted.cpp"
    source.write_text(f'#include "{compilation.source}"\n{addition}')
    objects = folder / "CMakeFiles" / f"dwcp_kernels_{TIER}.dir" / "kernels"
    compilation.compile(source, objects / "tier.cpp.o")
    return check(folder)


def check(*folders: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [CHECK, *folders], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_kernels_as_they_are_pass(compilation: Compilation, tmp_path: Path) -> None:
    done = checked(compilation, tmp_path, "")
    assert done.returncode == 0, done.stderr
    assert "1 kernel objects checked" in done.stdout


@pytest.mark.parametrize(
    ("addition", "name"),
    [
        pytest.param(INLINE_FUNCTION, "planted_inline", id="inline-function"),
        pytest.param(TEMPLATE_INSTANCE, "planted_template", id="template-instance"),
        pytest.param(INLINE_VARIABLE, "planted_variable", id="inline-variable"),
        pytest.param(UNIQUE_OBJECT, "planted_holder", id="unique-object"),
    ],
)
def test_a_weak_symbol_fails(
    compilation: Compilation, tmp_path: Path, addition: str, name: str
) -> None:
    done = checked(compilation, tmp_path, addition)
    assert done.returncode == 1
    weak = done.stderr.split("must export")[0]
    assert "weak symbols" in weak
    assert name in weak


def test_a_second_exported_symbol_fails(compilation: Compilation, tmp_path: Path) -> None:
    done = checked(compilation, tmp_path, PLAIN_EXPORT)
    assert done.returncode == 1
    assert "weak symbols" not in done.stderr
    assert "must export" in done.stderr
    assert "planted_export" in done.stderr


def test_the_table_of_another_tier_fails(compilation: Compilation, tmp_path: Path) -> None:
    checked(compilation, tmp_path, "")
    other = tmp_path / "other"
    shutil.copytree(
        tmp_path / "CMakeFiles" / f"dwcp_kernels_{TIER}.dir",
        other / "CMakeFiles" / "dwcp_kernels_ssse3.dir",
    )
    done = check(other)
    assert done.returncode == 1
    assert "must export dwcp::kernels::table_ssse3" in done.stderr


def test_kernels_that_bypass_the_caches_have_instructions_that_do(
    compilation: Compilation, tmp_path: Path
) -> None:
    target = tmp_path / "object" / "tier.cpp.o"
    compilation.compile(compilation.source, target)
    listing = subprocess.run(
        ["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", target],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
    bypassing = set()
    for function in listing.split("\n\n"):
        name = re.search(r"::([a-z_]+)[<(].*>:$", function, re.MULTILINE)
        if name is not None and re.search(r"\tvmovntdq\b", function):
            bypassing.add(name[1])
    assert {"copy_streaming", "copy_demoting", "fill_streaming", "xor_bytes_streaming"} <= bypassing
    # What gathers may be a function that several kernels share.
    assert any(name.startswith("gather_") for name in bypassing)
    assert not bypassing & {"xor_bytes", "scan", "scan_update"}


def test_a_folder_without_kernels_fails(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.returncode == 1
    assert "no kernel objects" in done.stderr


def test_a_call_without_a_folder_fails() -> None:
    assert check().returncode == 2
