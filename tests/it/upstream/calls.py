"""A gRPC server, and a client that makes every kind of call and says what was wrong.

    calls.py serve FILE [DIRECTORY]    FILE gets the port; DIRECTORY holds tls.crt and tls.key
    calls.py call ADDRESS [CA]
"""

import os
import sys
import threading
import time
from concurrent import futures

import grpc

SERVICE = "test.Calls"
LARGE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
cancelled = threading.Event()


def echo(request, context):
    metadata = dict(context.invocation_metadata())
    context.send_initial_metadata([("x-first", metadata.get("x-own", "none")), ("x-bin", metadata.get("own-bin", b""))])
    context.set_trailing_metadata([("x-last", "z"), ("x-last-bin", b"\x00\xff")])
    return request


def count(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def total(requests, context):
    return str(sum(len(request) for request in requests)).encode()


def talk(requests, context):
    for request in requests:
        yield b"re: " + request


def refuse(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such \u00fcber-thing")


def refuse_at_once(requests, context):
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you")


def break_off(request, context):
    yield b"one"
    context.abort(grpc.StatusCode.DATA_LOSS, "after one")


def deadline(request, context):
    return str(context.time_remaining()).encode()


def sleep(request, context):
    time.sleep(float(request))
    return b"awake"


def late(request, context):
    yield b"early"
    time.sleep(1.2)
    yield b"late"


def forever(request, context):
    context.add_callback(cancelled.set)
    yield b"first"
    cancelled.wait(10)


def was_cancelled(request, context):
    return str(cancelled.wait(10)).encode()


def serve(told, directory=None):
    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Total": grpc.stream_unary_rpc_method_handler(total),
        "Talk": grpc.stream_stream_rpc_method_handler(talk),
        "Refuse": grpc.unary_unary_rpc_method_handler(refuse),
        "RefuseAtOnce": grpc.stream_stream_rpc_method_handler(refuse_at_once),
        "BreakOff": grpc.unary_stream_rpc_method_handler(break_off),
        "Deadline": grpc.unary_unary_rpc_method_handler(deadline),
        "Sleep": grpc.unary_unary_rpc_method_handler(sleep),
        "Late": grpc.unary_stream_rpc_method_handler(late),
        "Forever": grpc.unary_stream_rpc_method_handler(forever),
        "WasCancelled": grpc.unary_unary_rpc_method_handler(was_cancelled),
    }
    server = grpc.server(futures.ThreadPoolExecutor(32), options=LARGE)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    if directory:
        read = lambda name: open(f"{directory}/{name}", "rb").read()
        pair = (read("tls.key"), read("tls.crt"))
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with open(told, "w") as file:
        file.write(f"{port}\n")
    server.wait_for_termination()


def fails(call):
    """The status and the words of a call that fails."""
    try:
        answer = call()
        if not isinstance(answer, bytes):
            list(answer)
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("the call did not fail")


def same(got, wanted):
    assert got == wanted, f"{got!r} is not {wanted!r}"


def call(address, ca=None):
    if ca:
        credentials = grpc.ssl_channel_credentials(open(ca, "rb").read())
        channel = grpc.secure_channel(address, credentials, options=LARGE)
    else:
        channel = grpc.insecure_channel(address, options=LARGE)
    method = lambda kind, name: getattr(channel, kind)(f"/{SERVICE}/{name}")
    unary = lambda name: method("unary_unary", name)

    answer, done = unary("Echo").with_call(b"hello", metadata=[("x-own", "a, b"), ("own-bin", b"\x01\xfe")], timeout=20)
    same(answer, b"hello")
    first, last = dict(done.initial_metadata()), dict(done.trailing_metadata())
    same((first["x-first"], first["x-bin"]), ("a, b", b"\x01\xfe"))
    same((last["x-last"], last["x-last-bin"]), ("z", b"\x00\xff"))
    large = os.urandom(3 << 20)
    same(unary("Echo")(large, timeout=20), large)
    text = b"compressible " * 5000
    same(unary("Echo")(text, compression=grpc.Compression.Gzip, timeout=20), text)
    same(unary("Echo")(b"", timeout=20), b"")

    same(list(method("unary_stream", "Count")(b"500", timeout=20)), [str(n).encode() for n in range(500)])
    same(list(method("unary_stream", "Count")(b"0", timeout=20)), [])
    pieces = (b"x" * 1000 for _ in range(1000))
    same(method("stream_unary", "Total")(pieces, timeout=20), b"1000000")

    # Each answer is there before the next message is sent.
    ready, told = threading.Semaphore(1), []

    def messages():
        for number in range(50):
            ready.acquire()
            yield str(number).encode()

    for answer in method("stream_stream", "Talk")(messages(), timeout=20):
        told.append(answer)
        ready.release()
    same(told, [f"re: {number}".encode() for number in range(50)])

    same(fails(lambda: unary("Refuse")(b"", timeout=20)), (grpc.StatusCode.NOT_FOUND, "no such \u00fcber-thing"))
    same(fails(lambda: unary("Nothing")(b"", timeout=20))[0], grpc.StatusCode.UNIMPLEMENTED)
    same(fails(lambda: method("unary_stream", "BreakOff")(b"", timeout=20)), (grpc.StatusCode.DATA_LOSS, "after one"))
    for _turn in range(20):
        # The client has more to say when it hears the end.
        silence = threading.Event()

        def endless():
            yield b"token"
            silence.wait(20)

        heard = fails(lambda: method("stream_stream", "RefuseAtOnce")(endless(), timeout=20))
        silence.set()
        same(heard, (grpc.StatusCode.UNAUTHENTICATED, "who are you"))

    left = float(unary("Deadline")(b"", timeout=15))
    assert 5 < left < 16, left  # what the client has left is rounded up on its way
    same(fails(lambda: unary("Sleep")(b"5", timeout=0.3))[0], grpc.StatusCode.DEADLINE_EXCEEDED)
    # Silent for longer than upstream.read_timeout.
    same(unary("Sleep")(b"1.2", timeout=20), b"awake")
    same(list(method("unary_stream", "Late")(b"", timeout=20)), [b"early", b"late"])

    stream = method("unary_stream", "Forever")(b"", timeout=20)
    same(next(stream), b"first")
    stream.cancel()
    same(unary("WasCancelled")(b"", timeout=20), b"True")

    with futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: unary("Echo")(str(n).encode() * 1000, timeout=20), range(300)))
    same(answers, [str(n).encode() * 1000 for n in range(300)])
    print("every call was right")


if __name__ == "__main__":
    {"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])
