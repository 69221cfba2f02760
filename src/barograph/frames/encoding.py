"""In which characters a text file is written, and its bytes as UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from barograph.errors import InputError

UTF8, MARKED, WESTERN = "utf-8", "utf-8-sig", "windows-1252"
_BLOCK_BYTES = 4 * 2**20
_MARKS = (  # the longer first: that of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, MARKED),
)
# Of the bytes of UTF-16 text in Latin letters half are zero; of any other text, none.
_ZEROS = 0.25
# A character of several bytes is nearly always an accident in Windows-1252 ("Ã¼"), and damage is rare in UTF-8.
_DAMAGE = 0.1


def find_encoding(path: Path) -> str:
    """Return the encoding of a text file: by its mark, else UTF-8, UTF-16 or Windows-1252, by all of its bytes.

    Windows-1252 holds all of Latin-1 that is written. A file that is UTF-8 but for a few bytes is damaged: it raises
    InputError with the line, as does one whose bytes are none of these.
    """
    decoder = codecs.getincrementaldecoder(UTF8)("replace")
    characters = wrong = 0
    western, line, first_wrong = True, 1, 0
    for i, block in enumerate(_blocks(path)):
        if not i:
            for mark, encoding in _MARKS:
                if block.startswith(mark):
                    if encoding != MARKED:
                        return encoding
                    western = False
            if (zeros := block.count(0)) > _ZEROS * len(block):
                return "utf-16-le" if block[1::2].count(0) > zeros / 2 else "utf-16-be"
        if not block.isascii() or decoder.getstate()[0]:
            text = decoder.decode(block)
            bad = text.count("\N{REPLACEMENT CHARACTER}") - block.count("\N{REPLACEMENT CHARACTER}".encode())
            if bad > 0 and not first_wrong:
                first_wrong = line + text[: text.index("\N{REPLACEMENT CHARACTER}")].count("\n")
            wrong += max(bad, 0)
            characters += sum(not c.isascii() for c in text) - max(bad, 0)
            western = western and not any(byte in block for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
        line += block.count(b"\n")
    if decoder.getstate()[0]:  # the file ends within a character
        wrong, first_wrong = wrong + 1, first_wrong or line
    if not wrong:
        return UTF8 if western else MARKED
    if western and characters <= _DAMAGE * wrong:
        return WESTERN
    raise InputError(
        f"{str(path)!r}, line {first_wrong}: a character is not UTF-8, and the file is not Windows-1252 either. "
        "It may be damaged or cut off there; write or copy it again as UTF-8."
    )


def _blocks(path: Path) -> Iterator[bytes]:
    with pa.input_stream(str(path)) as stream:
        while block := stream.read(_BLOCK_BYTES):
            yield block


@dataclass(slots=True)
class Utf8:
    """A text file as UTF-8 without a mark, whatever it is written in. Counts its quotation marks as they pass.

    `skip` bytes of UTF-8 from the start are left out. Raises InputError where the file is not in the encoding.
    """

    path: Path
    encoding: str
    stream: pa.NativeFile
    skip: int = 0
    quotes: int = 0
    _decoder: codecs.IncrementalDecoder | None = None
    _first: bool = True

    @property
    def closed(self) -> bool:
        """Return whether there is nothing to read any more."""
        return bool(self.stream.closed)

    def close(self) -> None:
        """Close the file."""
        self.stream.close()

    def read(self, size: int) -> bytes:
        """Return about `size` bytes, none at the end."""
        while True:
            data: bytes = self.stream.read(size)
            ended = not data
            data = self._as_utf8(data)
            if self.skip:
                data, self.skip = data[self.skip :], max(self.skip - len(data), 0)
            if data or ended:
                self.quotes += data.count(b'"')
                return data

    def _as_utf8(self, data: bytes) -> bytes:
        if self.encoding == UTF8:
            return data
        if self.encoding == MARKED:
            if self._first:
                data, self._first = data.removeprefix(codecs.BOM_UTF8), False
            return data
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder(self.encoding)()
        try:
            return self._decoder.decode(data, final=not data).encode()
        except UnicodeError as error:
            raise InputError(
                f"{str(self.path)!r} is not all {self.encoding.upper()}: {error}. It may be damaged or cut off; "
                "write or copy it again as UTF-8."
            ) from error
