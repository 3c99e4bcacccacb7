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

# Python tests that run under an emulator, which takes about twenty times as long: what the C++ tests,
# which run there in full, do not show. Those beyond 4 GiB and those that try every bit are left out.
# shellcheck disable=SC2034 # the sourcing scripts use it
emulated_tests=(-m 'not slow' -k 'not beyond_4_gib' "$root/tests/checksum/test_vectors.py"
    "$root/tests/checksum/test_one_shot.py" "$root/tests/checksum/test_streaming.py"
    "$root/tests/checksum/test_chunks.py" "$root/tests/checksum/test_rolling.py"
    "$root/tests/delta/test_xor.py" "$root/tests/delta/test_format.py")

say() { printf '%s: %s\n' "${0##*/}" "$*"; }

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# build_core NAME [CMAKE-ARGUMENT...]: configures and builds the C++ library and its tests in
# $build/NAME, without the Python module.
build_core() {
    local folder=$build/$1
    shift
    mkdir -p "$folder"
    if ! cmake -S "$root" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DDWCP_BUILD_PYTHON=OFF -DDWCP_BUILD_TESTS=ON "$@" >"$folder/configure.log" 2>&1; then
        cat "$folder/configure.log" >&2
        fail "configuring $folder failed"
    fi
    cmake --build "$folder"
}
