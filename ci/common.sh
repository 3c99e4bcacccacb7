# shellcheck shell=bash
# What the scripts of this folder share: folders, the compiler cache, building the C++ part.
# Sourced by them after `set -euo pipefail`; not a command of its own.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# The virtual environment that ci/setup fills.
# shellcheck disable=SC2034 # the sourcing scripts use it
venv=${DWCP_VENV:-$root/.venv}
# Everything that the scripts build, apart from the virtual environment.
build=${DWCP_BUILD_DIR:-$root/build/ci}
# One cache for all builds of a run: they differ in few of their objects.
export CCACHE_DIR=${CCACHE_DIR:-$build/ccache}
# Wheels from which tests/install makes clean environments without a network.
export DWCP_WHEELHOUSE=${DWCP_WHEELHOUSE:-$build/wheelhouse}

# The Python build asks for g++ by name; the same name everywhere lets the builds share objects.
export CXX=${CXX:-g++}

say() { printf '%s: %s\n' "${0##*/}" "$*"; }

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# build_core NAME [CMAKE-ARGUMENT...]: configures and builds the C++ library and its tests, or only the
# targets in build_targets, in $build/NAME, without the Python module.
build_targets=()
build_core() {
    local folder=$build/$1
    shift
    mkdir -p "$folder"
    if ! cmake -S "$root" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DDWCP_BUILD_PYTHON=OFF -DDWCP_BUILD_TESTS=ON "$@" >"$folder/configure.log" 2>&1; then
        cat "$folder/configure.log" >&2
        fail "configuring $folder failed"
    fi
    cmake --build "$folder" ${build_targets:+--target "${build_targets[@]}"}
}

# emulated_pytest LOGS PYTHON... -- GROUP...: runs each group of tests, folders separated by blanks,
# with the emulated PYTHON, all at once, because none of them alone keeps two processors busy. What
# they print is in LOGS.
#
# Left out are tests that build something and those that are heavy, and one that measures memory, which
# the emulator uses too. The profile is Hypothesis' own for such places: no deadlines, and the same
# examples each time.
emulated_pytest() {
    local logs=$1 command=() failed=0 group folders
    local -A running=()
    shift
    while [[ $1 != -- ]]; do
        command+=("$1")
        shift
    done
    shift
    mkdir -p "$logs"
    for group in "$@"; do
        read -r -a folders <<<"$group"
        (cd "$root" && "${command[@]}" -m pytest -q -p no:cacheprovider \
            -o faulthandler_timeout=300 --hypothesis-profile=ci -m 'not slow and not heavy' \
            --deselect tests/replica/test_protocol.py::test_claimed_lengths_take_no_memory \
            "${folders[@]}") >"$logs/${group//[ \/]/-}.log" 2>&1 </dev/null &
        running[$group]=$!
    done
    for group in "$@"; do
        if wait "${running[$group]}"; then
            say "$group: $(tail -n 1 "$logs/${group//[ \/]/-}.log")"
        else
            cat "$logs/${group//[ \/]/-}.log" >&2
            say "$group: FAILED" >&2
            failed=1
        fi
    done
    return $failed
}

# requirements NAME...: those of pyproject.toml for `build`, for `run`, or of an extra, one per line.
requirements() {
    "$venv/bin/python" - "$root/pyproject.toml" "$@" <<'PYTHON'
import sys
try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    from pip._vendor import tomli as tomllib
with open(sys.argv[1], "rb") as file:
    settings = tomllib.load(file)
project = settings["project"]
found = {"build": settings["build-system"]["requires"], "run": project["dependencies"]}
found.update(project["optional-dependencies"])
print("\n".join(requirement for name in sys.argv[2:] for requirement in found[name]))
PYTHON
}

# check_dispatch WANTED ABOVE COMMAND...: COMMAND runs dwcp_probe on an emulated processor, which must
# get the instruction set WANTED, refuse ABOVE, and die of it.
check_dispatch() {
    local wanted=$1 above=$2 found status=0
    shift 2
    found=$("$@" 2>/dev/null) || found=nothing
    [[ $found == "$wanted" ]] || fail "$* got $found instead of $wanted"
    # Asked for politely, more than the processor has is refused ...
    if DWCP_ISA=$above "$@" >/dev/null 2>&1; then
        fail "DWCP_ISA=$above was accepted by $*"
    fi
    # ... and dispatched by mistake it must die there, or the emulator could not show a mistake.
    # (The subshell keeps its own word about the signal.)
    (ulimit -c 0; "$@" --wrongly "$above"; exit $?) >/dev/null 2>&1 || status=$?
    ((status == 128 + 4)) || fail "$* --wrongly $above ended with status $status instead of SIGILL"
}
