"""The log of a disk, and power cuts at moments of it."""
import collections, struct

from disk import MARKS, SECTOR, START

FLUSH, FUA, DISCARD = 1, 2, 4

Entry = collections.namedtuple("Entry", "sector data flags")


class Cut(collections.namedtuple("Cut", "disk part done begun moment")):
    """What the environment's partition holds after a cut, and the last stores that were reported done and begun."""


def read(disk):
    """What the disk was told. The format is that of Linux's dm-log-writes."""
    log, at, entries = disk.log.read_bytes(), SECTOR, []
    while at + SECTOR <= len(log):
        sector, sectors, flags, _ = struct.unpack_from("<4Q", log, at)
        if not sectors and not flags:
            break
        length = 0 if flags & DISCARD else sectors * SECTOR
        entries.append(Entry(sector * SECTOR, log[at + SECTOR:at + SECTOR + length], flags))
        at += SECTOR + length
    return entries


def mark(entry):
    """What the guest says of itself: ("begin" or "done", number)."""
    if entry.sector != MARKS or not entry.data.strip(b"\0 "):
        return None
    word, number = entry.data.split()[:2]
    return word.decode(), int(number)


def apply(part, pieces):
    for offset, data in pieces:
        part[offset:offset + len(data)] = data


def cuts(disk, number, chance, flushes=True, begun_is_done=False):
    """`number` cuts at random moments of the disk's log: what was flushed is there, of everything later any pieces.
    Without `flushes` the disk does not heed them; `begun_is_done`: the guest reports before it has stored."""
    entries = read(disk)
    part, window, done, begun, at = bytearray(disk.base), [], 0, 0, 0
    first = next(place for place, entry in enumerate(entries) if mark(entry))
    for moment in sorted(chance.randrange(first, len(entries)) for _ in range(number)):
        for entry in entries[at:moment + 1]:
            if text := mark(entry):
                word, stored = text
                begun = stored if word == "begin" else begun
                done = stored if word == "done" or begun_is_done else done
            if entry.flags & FLUSH and flushes:
                apply(part, window)
                window = []
            if START <= entry.sector < MARKS:
                written = [(entry.sector + place - START, entry.data[place:place + disk.unit])
                           for place in range(0, len(entry.data), disk.unit)]
                window += written
                if entry.flags & FUA and flushes:
                    apply(part, written)
        at = moment + 1
        kept = chance.choice([0, 0.1, 0.5, 0.9, 1])
        left = bytearray(part)
        apply(left, [piece for piece in window if chance.random() < kept])
        yield Cut(disk, bytes(left), done, begun, f"entry {moment} of {len(entries)}, {kept} of {len(window)} pieces")
