"""Decoders that are not vacpack's: libbrotlidec and libzstd, the references, by ctypes; zlib of the standard library."""

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


class Buffer(ctypes.Structure):
    """libzstd's: where, how long, how far."""

    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("at", ctypes.c_size_t)]


class Zstd:
    def __init__(self):
        self.library = ctypes.CDLL("libzstd.so.1")
        self.library.ZSTD_createDCtx.restype = ctypes.c_void_p
        self.library.ZSTD_freeDCtx.argtypes = [ctypes.c_void_p]
        self.library.ZSTD_decompressStream.restype = ctypes.c_size_t
        self.library.ZSTD_decompressStream.argtypes = [ctypes.c_void_p, ctypes.POINTER(Buffer), ctypes.POINTER(Buffer)]
        self.state = self.library.ZSTD_createDCtx()
        self.room = ctypes.create_string_buffer(128 * 1024)
        self.left = 1

    def __del__(self):
        self.library.ZSTD_freeDCtx(self.state)

    def push(self, data: bytes) -> bytes:
        source = Buffer(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data), 0)
        pieces = []
        while True:
            target = Buffer(ctypes.cast(self.room, ctypes.c_void_p), len(self.room), 0)
            self.left = self.library.ZSTD_decompressStream(self.state, ctypes.byref(target), ctypes.byref(source))
            if self.library.ZSTD_isError(ctypes.c_size_t(self.left)):
                raise Broken("not a zstd stream")
            pieces.append(self.room.raw[: target.at])
            if source.at == source.size and target.at < target.size:
                return b"".join(pieces)

    def finish(self):
        if self.left:
            raise Broken("the zstd stream has no end")


class Gzip:
    def __init__(self):
        self.machine = zlib.decompressobj(31)

    def push(self, data: bytes) -> bytes:
        return self.machine.decompress(data)

    def finish(self):
        if not self.machine.eof or self.machine.unused_data:
            raise Broken("the gzip stream does not end where the body ends")


class Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer, which are alike."""

    _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t), ("done", ctypes.c_size_t)]


class Zstd:
    ROOM = 128 * 1024

    def __init__(self):
        self.library = ctypes.CDLL("libzstd.so.1")
        for name, answer in [("createDStream", ctypes.c_void_p), ("decompressStream", ctypes.c_size_t)]:
            getattr(self.library, f"ZSTD_{name}").restype = answer
        self.library.ZSTD_freeDStream.argtypes = [ctypes.c_void_p]
        self.library.ZSTD_isError.argtypes = [ctypes.c_size_t]
        buffers = [ctypes.POINTER(Buffer)] * 2
        self.library.ZSTD_decompressStream.argtypes = [ctypes.c_void_p, *buffers]
        self.state = self.library.ZSTD_createDStream()
        self.room = ctypes.create_string_buffer(self.ROOM)
        self.ended = False

    def __del__(self):
        self.library.ZSTD_freeDStream(self.state)

    def push(self, data: bytes) -> bytes:
        source = Buffer(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data), 0)
        pieces = []
        while True:
            if self.ended and source.done < source.size:
                raise Broken("bytes after the end of the zstd frame")
            target = Buffer(ctypes.cast(self.room, ctypes.c_void_p), self.ROOM, 0)
            left = self.library.ZSTD_decompressStream(self.state, ctypes.byref(target), ctypes.byref(source))
            if self.library.ZSTD_isError(left):
                raise Broken("not a zstd frame")
            pieces.append(self.room.raw[: target.done])
            self.ended = left == 0
            if self.ended and source.done == source.size:
                return b"".join(pieces)
            if target.done < self.ROOM and source.done == source.size:
                return b"".join(pieces)

    def finish(self):
        if not self.ended:
            raise Broken("the zstd frame has no end")


class Identity:
    def push(self, data: bytes) -> bytes:
        return data

    def finish(self):
        pass


def decoder(coding: str | None):
    machines = {"br": Brotli, "zstd": Zstd, "gzip": Gzip, None: Identity}
    if coding not in machines:
        raise Broken(f"there is no decoder for {coding} here")
    return machines[coding]()
