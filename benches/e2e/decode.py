"""Decoders that are not vacpack's: libbrotlidec, the reference, by ctypes; zlib of the standard library."""

import ctypes
import zlib

ERROR, FINISHED, WANTS_INPUT, HAS_OUTPUT = range(4)


class Broken(Exception):
    """The bytes are not what `Content-Encoding` says, or end before their end."""


def library() -> ctypes.CDLL:
    found = ctypes.CDLL("libbrotlidec.so.1")
    pointer, size = ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)
    found.BrotliDecoderCreateInstance.restype = pointer
    found.BrotliDecoderCreateInstance.argtypes = [pointer] * 3
    found.BrotliDecoderDestroyInstance.argtypes = [pointer]
    found.BrotliDecoderDecompressStream.argtypes = [pointer, size, ctypes.POINTER(pointer), size, pointer, pointer]
    found.BrotliDecoderTakeOutput.restype = pointer
    found.BrotliDecoderTakeOutput.argtypes = [pointer, size]
    return found


class Brotli:
    def __init__(self):
        self.library = library()
        self.state = self.library.BrotliDecoderCreateInstance(None, None, None)
        self.result = WANTS_INPUT

    def __del__(self):
        self.library.BrotliDecoderDestroyInstance(self.state)

    def push(self, data: bytes) -> bytes:
        """All that can be decoded so far."""
        if data and self.result == FINISHED:
            raise Broken("bytes after the end of the brotli stream")
        left, none = ctypes.c_size_t(len(data)), ctypes.c_size_t(0)
        at = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p)
        pieces = []
        while True:
            self.result = self.library.BrotliDecoderDecompressStream(
                self.state, ctypes.byref(left), ctypes.byref(at), ctypes.byref(none), None, None
            )
            if self.result == ERROR:
                raise Broken("not a brotli stream")
            length = ctypes.c_size_t(0)
            output = self.library.BrotliDecoderTakeOutput(self.state, ctypes.byref(length))
            if length.value:
                pieces.append(ctypes.string_at(output, length.value))
            if self.result == FINISHED and left.value:
                raise Broken("bytes after the end of the brotli stream")
            if self.result != HAS_OUTPUT:
                return b"".join(pieces)

    def finish(self):
        if self.result != FINISHED:
            raise Broken("the brotli stream has no end")


class Gzip:
    def __init__(self):
        self.machine = zlib.decompressobj(31)

    def push(self, data: bytes) -> bytes:
        return self.machine.decompress(data)

    def finish(self):
        if not self.machine.eof or self.machine.unused_data:
            raise Broken("the gzip stream does not end where the body ends")


class Identity:
    def push(self, data: bytes) -> bytes:
        return data

    def finish(self):
        pass


def decoder(coding: str | None):
    machines = {"br": Brotli, "gzip": Gzip, None: Identity}
    if coding not in machines:
        raise Broken(f"there is no decoder for {coding} here")
    return machines[coding]()
