#!/usr/bin/env python3
"""Writes zones.bin, the time zones that templates know, from Go's own copy of the IANA database.

  make.py "$(go env GOROOT)/lib/time/zoneinfo.zip" zones.bin

The file is deflated. In it: count of names (u16), then each name (u8 length, bytes) with its zone (u16), sorted; then the
zones, each behind its length (u16): types (u8 count; each i32 offset, u8 1 for summer time, u8 length and
abbreviation), the rule for what comes later (u8 length, text), changes (u16 count; each the seconds since
the change before, zigzag, seven bits a byte, and u8 type). Numbers are little-endian.
"""
import struct, sys, zipfile, zlib


def short(text):
    return bytes([len(text)]) + text


def number(value):
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def header(data, at):
    isut, isstd, leap, changes, types, chars = struct.unpack(">6l", data[at + 20:at + 44])
    return isut, isstd, leap, changes, types, chars


def zone(data):
    isut, isstd, leap, changes, types, chars = header(data, 0)
    at = 44 + changes * 5 + types * 6 + chars + leap * 8 + isstd + isut
    isut, isstd, leap, changes, types, chars = header(data, at)
    at += 44
    times = struct.unpack(">%dq" % changes, data[at:at + 8 * changes])
    at += 8 * changes
    kinds = data[at:at + changes]
    at += changes
    infos = [struct.unpack(">lBB", data[at + 6 * i:at + 6 * i + 6]) for i in range(types)]
    at += 6 * types
    names = data[at:at + chars]
    at += chars + leap * 12 + isstd + isut
    rule = data[at:].strip(b"\n")
    out = bytes([types])
    for offset, summer, name in infos:
        out += struct.pack("<lB", offset, summer) + short(names[name:names.index(b"\0", name)])
    out += short(rule) + struct.pack("<H", changes)
    before = 0
    for when, kind in zip(times, kinds):
        out += number(when - before) + bytes([kind])
        before = when
    return out


def main():
    archive, path = sys.argv[1:]
    found, zones, names = zipfile.ZipFile(archive), [], []
    for name in sorted(found.namelist()):
        data = found.read(name)
        if not data.startswith(b"TZif"):
            continue
        packed = zone(data)
        if packed not in zones:
            zones.append(packed)
        names.append((name.encode(), zones.index(packed)))
    plain = struct.pack("<H", len(names))
    plain += b"".join(short(name) + struct.pack("<H", index) for name, index in sorted(names))
    plain += b"".join(struct.pack("<H", len(packed)) + packed for packed in zones)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    with open(path, "wb") as out:
        out.write(packer.compress(plain) + packer.flush())


main()
