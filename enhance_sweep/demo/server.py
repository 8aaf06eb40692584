"""The page's server: one photograph at a time through the network that was chosen, nothing kept."""

import asyncio
import base64
import io
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from enhance_sweep.demo.networks import Network
from enhance_sweep.enhance import Enhancer, load_enhancer
from enhance_sweep.enhance.finding import printable
from enhance_sweep.enhance.reading import Pixels, decode, opened
from enhance_sweep.enhance.writing import write_photo

MEGA = 1_000_000
#: Longest side of the slider's pictures; the file to download has the photograph's own size.
_SHOWN_SIDE = 1600
_SHOWN_QUALITY = 92
#: A header that another site's page may not send without a preflight request.
_OUR_HEADER = "x-enhance-sweep"
_MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff"}
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif"}


@dataclass(frozen=True)
class Limits:
    """How large an upload may be, and how many may wait.

    Attributes:
        upload_mb: the largest file, in MB.
        megapixels: the largest photograph.
        waiting: the most uploads waiting beside the one in work.

    Raises:
        ValueError: a size is not positive, or `waiting` is negative.
    """

    upload_mb: float = 30.0
    megapixels: float = 50.0
    waiting: int = 4

    def __post_init__(self) -> None:
        """Check the limits."""
        for option, value in (("--max-upload-mb", self.upload_mb), ("--max-megapixels", self.megapixels)):
            if not 0 < value < float("inf"):
                raise ValueError(f"{option}: expected a positive number, got {value:g}")
        if self.waiting < 0:
            raise ValueError(f"--max-waiting: expected 0 or more, got {self.waiting}")


def application(networks: Sequence[Network], limits: Limits, folder: Path, hosts: Sequence[str]) -> Starlette:
    """The web application: the page, and the requests that it makes.

    Args:
        networks: to choose from; the first is preselected.
        limits: of uploads.
        folder: where a photograph is kept while it is read.
        hosts: host names that requests may use; `*` for any.
    """
    work = _Work({network.key: network for network in networks}, limits, folder)
    # Another site could make its own host name point here and read the answers (DNS rebinding): refuse other names.
    only_ours = Middleware(
        TrustedHostMiddleware, allowed_hosts=[host.strip("[]") for host in hosts], www_redirect=False
    )

    def page(request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        text = _template().render(networks=networks, limits=limits, nonce=nonce, header=_OUR_HEADER)
        return HTMLResponse(text, headers=_headers(nonce))

    return Starlette(
        routes=[Route("/", page), Route("/enhance", work.enhance, methods=["POST"])], middleware=[only_ours]
    )


def _headers(nonce: str) -> dict[str, str]:
    """Headers that allow the page's own script and style alone, and loading nothing from elsewhere."""
    policy = {
        "default-src": "'none'",
        "script-src": f"'nonce-{nonce}'",
        "style-src": f"'nonce-{nonce}'",
        "img-src": "data: blob:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


@dataclass
class _Work:
    networks: dict[str, Network]
    limits: Limits
    folder: Path
    waiting: int = 0
    enhancers: dict[str, Enhancer] = field(default_factory=dict)
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "enhance"))

    async def enhance(self, request: Request) -> Response:
        """Enhance the photograph in the body with the network of key `network`; answer pictures and figures as JSON."""
        if _OUR_HEADER not in request.headers:
            return _refusal(403, "only this page may send photographs")
        network = self.networks.get(request.query_params.get("network", ""))
        if network is None:
            return _refusal(404, "there is no such network: load the page again")
        if self.waiting > self.limits.waiting:
            return _refusal(503, f"{self.waiting} photographs are being enhanced already: try again in a moment")
        self.waiting += 1
        try:
            upload = await self._received(request)
            if upload is None:
                return _refusal(413, f"is larger than {self.limits.upload_mb:g} MB")
            result = await asyncio.get_running_loop().run_in_executor(self.thread, self._enhanced, network, upload)
            return JSONResponse(result, headers={"Cache-Control": "no-store"})
        except ClientDisconnect:
            return Response(status_code=499)
        except (ValueError, OSError, MemoryError) as error:
            return _refusal(422, _reason(error))
        except Exception as error:  # a damaged photograph may raise anything; the server keeps running
            print(f"error: {type(error).__name__}: {printable(str(error))}", file=sys.stderr)
            return _refusal(500, f"could not be enhanced ({type(error).__name__})")
        finally:
            self.waiting -= 1

    async def _received(self, request: Request) -> bytes | None:
        """The body; None as soon as it is too large, whatever its header says."""
        most = int(self.limits.upload_mb * MEGA)
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            return None
        received = bytearray()
        async for part in request.stream():
            received += part
            if len(received) > most:
                return None
        return bytes(received)

    def _enhanced(self, network: Network, upload: bytes) -> dict[str, Any]:
        """Runs always in the same thread: torch keeps a pool of threads for each thread that calls it."""
        Image.MAX_IMAGE_PIXELS = None  # our own limit comes first, and says so
        with tempfile.TemporaryDirectory(dir=self.folder) as private:
            source, target = Path(private) / "photograph", Path(private) / "enhanced"
            source.write_bytes(upload)
            with opened(source) as image:
                if image.width * image.height > self.limits.megapixels * MEGA:
                    raise ValueError(
                        f"is {image.width}x{image.height}: more than {self.limits.megapixels:g} megapixels"
                    )
                photo = decode(image, source)
            enhancer = self._enhancer(network)
            start = time.perf_counter()
            pixels = enhancer.enhance_pixels(photo.pixels)
            seconds = time.perf_counter() - start
            write_photo(replace(photo, pixels=pixels), target)
            return {
                "network": network.name,
                "seconds": seconds,
                "width": pixels.shape[1],
                "height": pixels.shape[0],
                "before": _shown(photo.pixels),
                "after": _shown(pixels),
                "suffix": _SUFFIXES[photo.format],
                "media_type": _MEDIA_TYPES[photo.format],
                "file": base64.b64encode(target.read_bytes()).decode(),
            }

    def _enhancer(self, network: Network) -> Enhancer:
        if network.key not in self.enhancers:
            enhancer = load_enhancer(network.folder)
            enhancer.spill_dir = self.folder
            enhancer.warm_up()
            self.enhancers[network.key] = enhancer
        return self.enhancers[network.key]


def _shown(pixels: Pixels) -> str:
    """A picture for the slider, as a data URI."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE), Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=_SHOWN_QUALITY, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode()}"


def _refusal(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status_code=status, headers={"Cache-Control": "no-store"})


def _reason(error: Exception) -> str:
    """The reason in one line, without any path of this computer."""
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    if isinstance(error, OSError) and error.strerror:
        return f"could not be enhanced here: {error.strerror}"
    return printable(str(error).strip().partition("\n")[0]) or type(error).__name__


@cache
def _template() -> Any:
    environment = Environment(loader=PackageLoader("enhance_sweep.demo", "templates"), autoescape=True)
    loader = environment.loader
    assert loader is not None
    for name in ("page.css", "page.js"):
        environment.globals[name.replace(".", "_")] = Markup(loader.get_source(environment, name)[0])
    return environment.get_template("page.html.j2")
