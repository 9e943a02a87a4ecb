"""Images are fetched once, believed only by their sum, and had offline."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from firmware.toolkit import images
from firmware.toolkit.images import IMAGES, BadImage, NoImage, obtain


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    server = HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture
def published(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image on the server, with its sum in the table."""
    path = tmp_path / "served" / IMAGES["ESP32"].name
    path.write_bytes(b"\xe9" + bytes(200_000))
    entry = replace(IMAGES["ESP32"], size=200_001, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(images.IMAGES, "ESP32", entry)
    return path


def test_it_is_fetched_once_with_progress(published: Path, server: str, tmp_path: Path) -> None:
    shares: list[float] = []
    path = obtain("ESP32", tmp_path / "cache", shares.append, server)
    assert path.read_bytes() == published.read_bytes()
    assert len(shares) > 2
    assert shares[-1] == 1.0
    published.unlink()
    assert obtain("ESP32", tmp_path / "cache", shares.append, server) == path


def test_a_changed_image_is_not_kept(published: Path, server: str, tmp_path: Path) -> None:
    published.write_bytes(b"\xe9 from a captive portal")
    with pytest.raises(BadImage, match="SHA-256") as refused:
        obtain("ESP32", tmp_path / "cache", lambda share: None, server)
    assert "IMAGE=FILE" in refused.value.advice
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_cache_is_fetched_anew(published: Path, server: str, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / published.name).write_bytes(b"half")
    assert (
        obtain("ESP32", tmp_path / "cache", lambda share: None, server).read_bytes() == published.read_bytes()
    )


def test_without_a_network_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoImage, match="can't be fetched") as failed:
        obtain("ESP32-C3", tmp_path, lambda share: None, "http://127.0.0.1:1/")
    assert IMAGES["ESP32-C3"].name in failed.value.advice


def test_every_chip_has_its_pinned_image() -> None:
    assert IMAGES.keys() == images.CHIPS.keys()
    for image in IMAGES.values():
        assert len(bytes.fromhex(image.sha256)) == 32
        assert image.version in image.name
        assert image.date.replace("-", "") in image.name
