"""A decoder written from docs/format.md alone, bit by bit and byte by byte."""

import struct

import crc32c
import lz4.block
import zstandard


class Refused(Exception):
    """The delta breaks a rule of the format."""


def digest(state: bytes) -> int:
    register = (1 << 64) - 1
    for byte in state:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0x9A6C9329AC4BC9B5 if register & 1 else 0)
    return register ^ ((1 << 64) - 1)


class Cursor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise Refused("too short")
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                if byte == 0 and shift:
                    raise Refused("not the shortest form")
                return value
            shift += 7

    @property
    def done(self) -> bool:
        return self.at == len(self.data)


def stream(codec: int, wire: bytes, length: int) -> bytes:
    if codec == 0:
        return wire
    if codec == 1:
        return lz4.block.decompress(wire, uncompressed_size=length)
    return zstandard.ZstdDecompressor().decompress(wire, max_output_size=length)


def segments(mode: int, index: bytes, values: bytes, block: int) -> list[tuple[int, bytes]]:
    found = []
    cursor, rest = Cursor(index), Cursor(values)
    if mode == 1:
        found.append((0, rest.take(block)))
    elif mode == 2:
        found.append((0, rest.take(1) * block))
    elif mode == 3:
        page = 0
        while not cursor.done:
            page += cursor.varint()
            (mask,) = struct.unpack("<Q", cursor.take(8))
            for line in range(64):
                if mask >> line & 1:
                    at = page * 4096 + line * 64
                    found.append((at, rest.take(min(64, block - at))))
            page += 1
    else:
        at = 0
        while not cursor.done:
            at += cursor.varint()
            length = cursor.varint()
            found.append((at, rest.take(length)))
            at += length
    if not rest.done:
        raise Refused("values left over")
    return found


def decode(delta: bytes, base: bytes) -> bytes:
    cursor = Cursor(delta)
    header = cursor.take(44)
    magic, version, flags, length, before, after, body, size = struct.unpack("<4sHHQQQQI", header)
    if (magic, version, flags) != (b"DWCD", 1, 0) or len(delta) != 48 + body:
        raise Refused("header")
    if cursor.take(4) != struct.pack("<I", crc32c.crc32c(header)):
        raise Refused("header checksum")
    if length != len(base) or before != digest(base):
        raise Refused("another base")
    result = bytearray(base)
    block = 0
    while not cursor.done:
        start = cursor.at
        block += cursor.varint()
        kind, element = cursor.take(2)
        mode, xor = kind & 15, bool(kind & 16)
        if mode not in (1, 2, 3, 4) or element != 1 or kind > 31:
            raise Refused("kind")
        headers = []
        for _ in range(1 if mode < 3 else 2):
            codec = cursor.take(1)[0]
            decoded = cursor.varint()
            headers.append((codec, decoded, decoded if codec == 0 else cursor.varint()))
        streams = [stream(codec, cursor.take(wire), decoded) for codec, decoded, wire in headers]
        if cursor.take(4) != struct.pack("<I", crc32c.crc32c(delta[start : cursor.at - 4])):
            raise Refused("record checksum")
        first = block * size
        index = streams[0] if mode > 2 else b""
        for at, values in segments(mode, index, streams[-1], min(size, length - first)):
            for i, value in enumerate(values):
                old = result[first + at + i] if xor else 0
                result[first + at + i] = old ^ value
        block += 1
    if digest(bytes(result)) != after:
        raise Refused("another result")
    return bytes(result)
