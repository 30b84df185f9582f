"""A gRPC program whose channel is configured by xDS; it calls once for each line on standard input.

A process of its own, since gRPC reads GRPC_XDS_BOOTSTRAP once. Prints the answer, or the status of the failed call.
"""

import sys

import grpc


def main() -> None:
    """Call /shop.Shop/Get on the target until the input ends."""
    channel = grpc.insecure_channel(sys.argv[1])
    call = channel.unary_unary("/shop.Shop/Get")
    for _line in sys.stdin:
        try:
            answer = call(b"", timeout=10).decode()
        except grpc.RpcError as error:
            answer = f"{error.code().name} {error.details()}"  # type: ignore[attr-defined]
        print(" ".join(answer.split()), flush=True)


main()
