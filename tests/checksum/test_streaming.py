"""Objects that take data in pieces, and verify."""

import hashlib
import sys
import threading

import numpy as np
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwcp import checksum

NAMES = sorted(checksum.algorithms_available)
LONG = 1 << 16


def one_shot(name: str, data: bytes) -> int:
    value: int = getattr(checksum, name)(data)
    return value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(pieces=st.lists(st.one_of(st.binary(max_size=5), st.binary(max_size=700)), max_size=12))
def test_pieces_give_what_the_whole_gives(tier: str, pieces: list[bytes]) -> None:
    for name in NAMES:
        stream = checksum.new(name)
        so_far = b""
        for piece in pieces:
            stream.update(piece)
            so_far += piece
            assert stream.value == one_shot(name, so_far)


@pytest.mark.parametrize("name", NAMES)
def test_any_single_cut_gives_what_the_whole_gives(name: str) -> None:
    data = bytes(i * 7 % 251 for i in range(1300))
    expected = one_shot(name, data)
    for cut in range(len(data) + 1):
        stream = checksum.new(name, data[:cut])
        stream.update(data[cut:])
        assert stream.value == expected


@pytest.mark.parametrize("name", NAMES)
def test_long_pieces_and_every_kind_of_buffer(name: str) -> None:
    data = bytes(i * 7 % 251 for i in range(5 * LONG + 1))
    stream = checksum.new(name)
    for piece in (b"", data[:1], memoryview(data)[1 : LONG + 8], bytearray(data[LONG + 8 : -8])):
        stream.update(piece)
    stream.update(np.frombuffer(data[-8:], np.uint32))
    assert stream.value == one_shot(name, data)


@pytest.mark.parametrize("name", NAMES)
def test_forms_of_the_result_agree(name: str) -> None:
    stream = checksum.new(name, b"forms")
    assert stream.value == one_shot(name, b"forms")
    assert stream.digest() == stream.value.to_bytes(stream.digest_size, "big")
    assert stream.hexdigest() == stream.digest().hex()
    assert stream.name == name
    assert isinstance(stream, checksum.Checksum)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("xxh32", xxhash.xxh32), ("xxh3_64", xxhash.xxh3_64), ("xxh3_128", xxhash.xxh3_128)],
)
def test_digests_are_those_of_the_xxhash_package(name: str, kind: type) -> None:
    for seed in (0, 12345):
        for length in (0, 5, 100, 1000, 100_000):
            data = bytes(i * 7 % 251 for i in range(length))
            theirs = kind(data, seed=seed)
            ours = checksum.new(name, data, seed=seed)
            assert (ours.digest(), ours.hexdigest()) == (theirs.digest(), theirs.hexdigest())
            ours.reset()
            ours.update(data)
            assert ours.value == theirs.intdigest()


def test_sizes_are_those_of_the_definitions() -> None:
    sizes = {name: (s.digest_size, s.block_size) for name in NAMES if (s := checksum.new(name))}
    assert sizes == {
        "adler32": (4, 1),
        "crc32": (4, 1),
        "crc32c": (4, 1),
        "crc64nvme": (8, 1),
        "fletcher32": (4, 2),
        "xxh32": (4, 16),
        "xxh3_128": (16, 64),
        "xxh3_64": (8, 64),
    }


def test_objects_have_what_hashlib_s_have() -> None:
    theirs = {name for name in dir(hashlib.sha256()) if not name.startswith("_")}
    assert theirs <= set(dir(checksum.new("crc32")))


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_goes_its_own_way(name: str) -> None:
    original = checksum.new(name, b"odd")
    copy = original.copy()
    copy.update(b" one")
    assert original.value == one_shot(name, b"odd")
    assert copy.value == one_shot(name, b"odd one")
    original.update(b"er")
    assert original.value == one_shot(name, b"odder")
    assert copy.value == one_shot(name, b"odd one")
    del original
    copy.update(b"!")
    assert copy.value == one_shot(name, b"odd one!")
    copy.reset()
    assert copy.value == one_shot(name, b"")


def test_unknown_names_and_wrong_arguments_are_refused() -> None:
    for name in ("", "CRC32", "crc-32", "md5", "crc32\0"):
        with pytest.raises(ValueError, match=r"name must be one of crc32, crc32c, .*, xxh3_128"):
            checksum.new(name)
        with pytest.raises(ValueError, match="name must be one of"):
            checksum.verify(name, b"", 0)
    with pytest.raises(TypeError):
        checksum.new(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="data must support the buffer protocol"):
        checksum.new("crc32", "text")  # type: ignore[arg-type]
    stream = checksum.new("crc32")
    for not_bytes in ("text", None, 5):
        with pytest.raises(TypeError, match="data must support the buffer protocol"):
            stream.update(not_bytes)  # type: ignore[arg-type]
    with pytest.raises(BufferError, match="data must be a C-contiguous buffer"):
        stream.update(memoryview(b"abc")[::2])
    assert stream.value == 0
    with pytest.raises(ValueError, match=r"seed must be 0\.\.0 for crc32, not 1"):
        checksum.new("crc32", seed=1)
    with pytest.raises(ValueError, match=r"seed must be 0\.\.4294967295 for xxh32"):
        checksum.new("xxh32", seed=2**32)
    with pytest.raises(ValueError, match=r"seed must be 0\.\.18446744073709551615$"):
        checksum.new("xxh3_64", seed=-1)
    with pytest.raises(TypeError, match="seed must be an int"):
        checksum.new("xxh3_64", seed=1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_threads_may_share_an_object(name: str) -> None:
    # All bytes are equal, so that the order of the pieces does not matter. Long ones are taken
    # without the GIL.
    pieces = [b"x" * length for length in (3, LONG + 5, 64, 4 * LONG - 1)]
    stream = checksum.new(name)
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        for _ in range(40):
            for piece in pieces:
                stream.update(piece)
            stream.copy().digest()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = 4 * 40 * sum(map(len, pieces))
    assert stream.value == one_shot(name, b"x" * total)


def test_objects_keep_no_reference_to_their_data() -> None:
    for name in NAMES:
        for length in (10, LONG + 10):
            data = bytearray(length)
            before = sys.getrefcount(data)
            stream = checksum.new(name, data)
            stream.update(data)
            assert sys.getrefcount(data) == before
            data.append(1)  # BufferError while an export is alive


def test_objects_give_their_memory_back() -> None:
    def use() -> None:
        for _ in range(200):
            for name in NAMES:
                stream = checksum.new(name, b"data")
                stream.copy().digest()

    use()
    before = sys.getallocatedblocks()
    use()
    assert sys.getallocatedblocks() - before < 100


@pytest.mark.parametrize("name", NAMES)
def test_verify_is_true_for_the_right_checksum_in_every_form(name: str) -> None:
    for data in (b"", b"verified data", bytes(LONG + 3)):
        stream = checksum.new(name, data)
        right = stream.value
        hexadecimal = stream.hexdigest()
        for form in (right, stream.digest(), bytearray(stream.digest()), hexadecimal):
            assert checksum.verify(name, data, form) is True
        assert checksum.verify(name, data, hexadecimal.upper()) is True
        assert checksum.verify(name=name, data=data, expected=right) is True
        for bit in range(8 * stream.digest_size):
            wrong = right ^ 1 << bit
            as_bytes = wrong.to_bytes(stream.digest_size, "big")
            for form in (wrong, as_bytes, as_bytes.hex()):
                assert checksum.verify(name, data, form) is False


@pytest.mark.parametrize("name", NAMES)
def test_verify_refuses_what_cannot_be_a_checksum(name: str) -> None:
    size = checksum.new(name).digest_size
    for number in (-1, 2 ** (8 * size), 2**200):
        with pytest.raises(ValueError, match=r"expected must be 0\.\."):
            checksum.verify(name, b"", number)
    for count in (0, size - 1, size + 1, 2 * size):
        with pytest.raises(ValueError, match=f"expected must have {size} bytes for {name}"):
            checksum.verify(name, b"", bytes(count))
    for text in ("", "0" * (2 * size - 1), "0" * (2 * size + 1), "g" + "0" * (2 * size - 1)):
        with pytest.raises(ValueError, match=f"must have {2 * size} hexadecimal digits for {name}"):
            checksum.verify(name, b"", text)
    for wrong in (None, 1.5, ["00"]):
        with pytest.raises(TypeError, match="expected must be an int, bytes or str"):
            checksum.verify(name, b"", wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="data must support the buffer protocol"):
        checksum.verify(name, "text", 0)  # type: ignore[arg-type]
