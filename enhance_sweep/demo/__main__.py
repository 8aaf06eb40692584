"""`python -m enhance_sweep.demo`: a local page to try the networks of a folder of runs."""

import argparse
import ipaddress
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from enhance_sweep.system.environment import prepare_process
from enhance_sweep.version import VERSION_LINE

_LARGEST_PORT = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C.

    Returns:
        2 if there is no network to offer or the address cannot be used, else 0.
    """
    if arguments is None:
        prepare_process()  # before torch is imported
    options = _parser().parse_args(arguments)
    try:
        import uvicorn

        from enhance_sweep.demo.server import Limits, application
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is not installed: pip install 'enhance-sweep[demo]'", file=sys.stderr)
        return 2
    from enhance_sweep.demo.networks import networks
    from enhance_sweep.demo.uploads import temporary_folder

    try:
        limits = Limits(options.max_upload_mb, options.max_megapixels, options.max_waiting)
        offered = networks(options.runs)
        listening = _listen(options.host, options.port)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    local = _is_loopback(options.host)
    if not local:
        print(
            f"warning: on {options.host} everybody on the local network can use this page, without a password",
            file=sys.stderr,
        )
    address = f"http://{_in_url(options.host)}:{listening.getsockname()[1]}/"
    hosts = ("127.0.0.1", "localhost", "[::1]", _in_url(options.host)) if local else ("*",)
    signal.signal(signal.SIGTERM, _leave)  # the server raises it again when it has stopped; then we clean up
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt, SystemExit), temporary_folder() as folder:
        page = application(offered, limits, folder, hosts)
        server = uvicorn.Server(
            uvicorn.Config(
                page, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1
            )
        )
        print(f"{len(offered)} of the networks in {options.runs}: {address} (Ctrl-C ends it)", flush=True)
        if options.open:
            webbrowser.open(address)
        server.run(sockets=[listening])
    sys.stdout.flush()
    if arguments is None:
        os._exit(0)  # a photograph may still be in work, and nobody waits for it
    return 0


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _listen(host: str, port: int) -> socket.socket:
    """Take the port, so that a browser finds the page as soon as its address is printed."""
    if not 0 <= port <= _LARGEST_PORT:
        raise ValueError(f"--port: expected 0 to {_LARGEST_PORT}, got {port}")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen()
    except OSError as error:
        raise OSError(f"--host {host} --port {port}: cannot listen there ({error}); try --port 0") from error
    return listening


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m enhance_sweep.demo",
        description="Serve a page on this computer: drop a photograph, choose a network on the frontier, see before "
        "and after under a slider. Nothing is kept, and nothing leaves the computer.",
    )
    parser.add_argument("--version", action="version", version=VERSION_LINE)
    add = parser.add_argument
    add("--runs", default=Path("runs"), type=Path, metavar="DIR", help="folder of runs (runs)")
    add("--host", default="127.0.0.1", help="any address but this computer's own opens the page to others (127.0.0.1)")
    add("--port", default=7860, type=int, help="0 takes any free port (7860)")
    add("--max-upload-mb", default=30.0, type=float, metavar="MB", help="largest file (30)")
    add("--max-megapixels", default=50.0, type=float, metavar="MP", help="largest photograph (50)")
    add("--max-waiting", default=4, type=int, metavar="COUNT", help="photographs that may wait for their turn (4)")
    add("--open", action="store_true", help="open the page in a browser")
    return parser


if __name__ == "__main__":
    sys.exit(main())
