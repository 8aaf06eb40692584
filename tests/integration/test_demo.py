"""The page for trying networks: in a real browser, and what its server refuses."""

import base64
import http.client
import io
import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from enhance_sweep import load_enhancer
from enhance_sweep.config import build, compose_settings
from enhance_sweep.records.store import trained_dir, write_timed, write_trained
from enhance_sweep.sweep.generator_file import save_generator
from tests.commands import Command, run
from tests.integration.browser import opened
from tests.unit.enhance.picture_files import encoded, exif_of, smooth
from tests.unit.report import record_factory as make

pytest.importorskip("starlette", reason="the extra `demo` is not installed")
pytest.importorskip("uvicorn", reason="the extra `demo` is not installed")

HEADER = {"X-Enhance-Sweep": "1"}
PHOTO = np.asarray(smooth(90, 60))
PNG, JPEG = encoded(smooth(90, 60), "PNG"), encoded(smooth(90, 60), "JPEG")


class Served:
    """A running page: the program, its address, and its folder for temporary files."""

    def __init__(self, runs: Path, temporary: Path, *options: str) -> None:
        temporary.mkdir(exist_ok=True)
        self.temporary = temporary
        arguments = ["--runs", str(runs), "--port", "0", *options]
        self.process = Command("enhance_sweep.demo", *arguments, cwd=temporary, TMPDIR=str(temporary))
        found = None
        while found is None:
            assert self.process.poll() is None, self.process.result()
            time.sleep(0.02)
            found = re.search(r"http://[\d.]+:(\d+)/.*\n", self.process.output())
        self.port = int(found.group(1))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())

    def enhance(self, network: str, upload: bytes) -> tuple[int, dict[str, Any]]:
        status, body, _ = self.ask("POST", f"/enhance?network={network}", upload, **HEADER)
        return status, json.loads(body)

    def left(self) -> list[Path]:
        """Files that lie in the program's folder, beside what its libraries keep."""
        return [path for path in self.temporary.rglob("enhance_sweep-demo-*/**/*") if path.is_file()]

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30), self.process.said()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def keys(runs: Path) -> list[str]:
    """Of three timed networks with weights, the best first; the last is slower and worse than the others."""
    keys = []
    for channels, ms_ssim, latency_ms in ((4, 0.92, 900.0), (2, 0.9, 300.0), (3, 0.85, 950.0)):
        record = make.trained(make.plain(3, channels, 1), ms_ssim, 20.0)
        keys.append(str(record["key"]))
        write_trained(runs, record)
        write_timed(runs, make.timed(make.plain(3, channels, 1), latency_ms))
        settings = compose_settings([f"model.channels={channels}", "model.blocks=1"]).model
        save_generator(trained_dir(runs, keys[-1]) / "generator.pt", build(settings, "model"), settings)
    return keys


@pytest.fixture(scope="module")
def served(runs: Path, keys: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(runs, tmp_path_factory.mktemp("temporary"), "--max-upload-mb", "0.2", "--max-megapixels", "0.05")
    yield server
    server.end()


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    with opened(browser, served.address) as page:
        yield page


def choose(page: Any, name: str, content: bytes) -> None:
    page.set_input_files("#photo", {"name": name, "mimeType": "application/octet-stream", "buffer": content})


def wait_for_status(page: Any, text: str) -> None:
    page.locator("#status", has_text=text).wait_for()


def saved(page: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with page.expect_download() as download:
        page.click("#save")
    with Image.open(download.value.path()) as image:
        return np.asarray(image.convert("RGB"))


def test_a_photograph_is_enhanced_shown_and_saved(page: Any, served: Served, runs: Path, keys: list[str]) -> None:
    labels = page.locator("#network option").all_inner_texts()
    assert labels == ["{3, 4, 1}, 900 ms, MS-SSIM 0.9200", "{3, 2, 1}, 300 ms, MS-SSIM 0.9000"], "the frontier's"
    choose(page, "holiday.png", PNG)
    page.wait_for_selector("#result:not([hidden])")
    status = page.inner_text("#status")
    status = status.replace("\N{MULTIPLICATION SIGN}", "x")
    assert re.fullmatch(r"\d+\.\d\d s for 90x60 \(0\.0 megapixels\) by \{3, 4, 1\}", status)
    np.testing.assert_array_equal(saved(page), load_enhancer(trained_dir(runs, keys[0]))(PHOTO))
    assert page.get_attribute("#save", "download") == "holiday-enhanced.png"

    page.select_option("#network", keys[1])
    wait_for_status(page, "{3, 2, 1}")
    np.testing.assert_array_equal(saved(page), load_enhancer(trained_dir(runs, keys[1]))(PHOTO))

    page.focus("#divide")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert page.eval_on_selector(".slider", "one => one.style.getPropertyValue('--at')") == "60%"
    shown = page.locator("#before").bounding_box(), page.locator("#after").bounding_box()
    assert shown[0] == shown[1], "the two lie on each other"
    assert served.left() == []


def test_what_is_wrong_is_said_on_the_page_and_the_next_photograph_works(page: Any) -> None:
    choose(page, "notes<b>.jpg", b"no photograph at all")
    page.wait_for_selector("#status.wrong")
    assert page.inner_text("#status") == "notes<b>.jpg: is no picture in JPEG, PNG, WebP or TIFF that can be read"
    choose(page, "huge.bin", bytes(300_000))
    wait_for_status(page, "larger than 0.2 MB")
    choose(page, "cut.jpg", JPEG[:-200])
    wait_for_status(page, "damaged or cut short")
    choose(page, "good.jpg", JPEG)
    page.wait_for_selector("#result:not([hidden])")
    assert page.get_attribute("#save", "download") == "good-enhanced.jpg"


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_it_fits_a_phone_and_follows_the_dark(browser: Any, served: Served, scheme: str, dark: bool) -> None:
    window = {"viewport": {"width": 390, "height": 800}, "color_scheme": scheme}
    with opened(browser, served.address, **window) as page:
        choose(page, "wide.png", encoded(smooth(400, 40), "PNG"))
        page.wait_for_selector("#result:not([hidden])")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        red = int(re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[0])
        assert (red < 60) == dark


def test_a_dropped_photograph_is_taken(page: Any) -> None:
    moved = page.evaluate_handle(
        "bytes => { const moved = new DataTransfer();"
        " moved.items.add(new File([new Uint8Array(bytes)], 'dropped.png')); return moved; }",
        list(PNG),
    )
    page.dispatch_event(".drop", "drop", {"dataTransfer": moved})
    page.wait_for_selector("#result:not([hidden])")
    assert page.get_attribute("#save", "download") == "dropped-enhanced.png"


# --- the server -------------------------------------------------------------------------------------------------------


def test_formats_orientation_and_transparency_are_those_of_the_command(served: Served, keys: list[str]) -> None:
    status, answer = served.enhance(keys[0], encoded(smooth(90, 60), "JPEG", exif=exif_of(6), quality=95))
    assert (status, answer["width"], answer["height"], answer["suffix"]) == (200, 60, 90, ".jpg")
    clear = Image.fromarray(np.dstack([PHOTO, np.full((60, 90), 7, np.uint8)]))
    status, answer = served.enhance(keys[0], encoded(clear, "PNG"))
    assert status == 200
    with Image.open(io.BytesIO(base64.b64decode(answer["file"]))) as image:
        assert np.asarray(image)[..., 3].max() == 7
    assert served.left() == []


@pytest.mark.parametrize(
    ("upload", "reason"),
    [
        (b"", "is empty"),
        (b"GIF89a", "is no picture"),
        (encoded(smooth(300, 300), "PNG"), "is 300x300: more than 0.05 megapixels"),
        (encoded(Image.fromarray(np.zeros((8, 8), np.uint16)), "PNG"), "has 16 bits a channel"),
    ],
)
def test_bad_photographs_are_refused_by_name(served: Served, keys: list[str], upload: bytes, reason: str) -> None:
    status, answer = served.enhance(keys[0], upload)
    assert status == 422
    assert reason in answer["error"]
    assert served.left() == []


def test_larger_uploads_are_refused_before_they_are_read(served: Served, keys: list[str]) -> None:
    status, answer = served.enhance(keys[0], bytes(200_001))
    assert (status, answer["error"]) == (413, "is larger than 0.2 MB")
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as raw:  # a length that is not said
        raw.sendall(
            f"POST /enhance?network={keys[0]} HTTP/1.1\r\nHost: localhost\r\nX-Enhance-Sweep: 1\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        raw.settimeout(0.05)
        answered = b""
        for _ in range(10):
            raw.sendall(b"8000\r\n" + bytes(0x8000) + b"\r\n")
            with suppress(TimeoutError):
                answered += raw.recv(4096)
                break
        assert b" 413 " in answered.partition(b"\r\n")[0]


def test_pages_of_others_cannot_use_it(served: Served, keys: list[str]) -> None:
    status, _, _ = served.ask("POST", f"/enhance?network={keys[0]}", PNG)
    assert status == 403, "a form of somebody else's cannot set the header"
    status, _, _ = served.ask("GET", "/", Host="attacker.example")
    assert status == 400, "nor can a name that leads here"
    status, _, headers = served.ask("OPTIONS", "/enhance", Origin="http://attacker.example")
    assert "access-control-allow-origin" not in {name.lower() for name in headers}
    _, page, headers = served.ask("GET", "/")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert b"http" not in page.replace(b"http-equiv", b""), "nothing from elsewhere"


def test_unknown_networks_are_refused(served: Served) -> None:
    assert served.enhance("..%2F..%2Fetc", PNG)[0] == 404


def test_so_many_may_wait_and_no_more(runs: Path, keys: list[str], tmp_path: Path) -> None:
    server = Served(runs, tmp_path / "temporary", "--max-waiting", "0")

    def until(wanted: int) -> dict[str, Any]:
        for _ in range(100):
            status, answer = server.enhance(keys[0], PNG)
            if status == wanted:
                return answer
            time.sleep(0.05)
        raise AssertionError(f"never {wanted}")

    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as slow:
            head = f"POST /enhance?network={keys[0]} HTTP/1.1\r\nHost: localhost\r\nX-Enhance-Sweep: 1\r\n"
            slow.sendall(f"{head}Content-Length: 100\r\n\r\n".encode())
            answer = until(503)
            assert "try again in a moment" in answer["error"]
        until(200)  # it has gone away: the place is free again
    finally:
        server.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(runs: Path, keys: list[str], tmp_path: Path, number: int) -> None:
    server = Served(runs, tmp_path / "temporary")
    assert server.enhance(keys[0], PNG)[0] == 200
    status, said = server.end(number)
    folders = list(server.temporary.glob("enhance_sweep-demo-*"))
    if number == signal.SIGKILL:
        assert len(folders) == 1
        Served(runs, tmp_path / "temporary").end()
        assert not folders[0].exists(), "the next one clears up"
    else:
        assert (status, said) == (0, "")
        assert folders == []


# --- the command ------------------------------------------------------------------------------------------------------


def test_what_cannot_be_served_is_one_line(runs: Path, keys: list[str], served: Served, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    weightless = tmp_path / "weightless"
    write_trained(weightless, make.trained(make.BASELINE, 0.9))
    for arguments, wanted in (
        (["--runs", str(tmp_path / "none")], "none"),
        (["--runs", str(tmp_path / "empty")], "empty"),
        (["--runs", str(weightless)], "train it again"),
        (["--runs", str(runs), "--port", str(served.port)], "cannot listen there"),
        (["--runs", str(runs), "--port", "99999"], "--port: expected 0 to 65535, got 99999"),
        (["--runs", str(runs), "--max-upload-mb", "0"], "--max-upload-mb: expected a positive number, got 0"),
        (["--runs", str(runs), "--max-waiting", "-1"], "--max-waiting: expected 0 or more"),
    ):
        done = run("enhance_sweep.demo", *arguments, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert wanted in done.stderr
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("error: ")


def test_letting_others_in_is_warned_of(runs: Path, keys: list[str], tmp_path: Path) -> None:
    server = Served(runs, tmp_path / "temporary", "--host", "0.0.0.0")
    _, said = server.end(signal.SIGTERM)
    assert "everybody on the local network can use this page" in said
