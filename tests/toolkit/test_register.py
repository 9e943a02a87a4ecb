"""The register, the list of a batch, and labels that a phone can read."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import zxingcpp

from firmware.toolkit import label, register
from firmware.toolkit.register import BadList, NotEntered, Wanted
from firmware.toolkit.settings import Sensor

ENTRY = {
    "at": "2026-11-22T09:01:00Z",
    "mac": "24:6f:0a:0b:0c:0d",
    "chip": "ESP32",
    "node": "3-2-a",
    "site": "hana",
    "values": {"co2": "500 ppm"},
}


def test_the_newest_entry_of_a_node_counts(tmp_path: Path) -> None:
    path = tmp_path / "flashed.csv"
    for mac in ("24:6f:00:00:00:01", "24:6f:00:00:00:02"):
        register.enter(path, ENTRY | {"mac": mac, "generation": 1})
    assert [entry["mac"][-1] for entry in register.entries(path)] == ["1", "2"]
    assert register.newest(path)["3-2-a"]["mac"] == "24:6f:00:00:00:02"
    assert register.newest(path)["3-2-a"]["values"] == "co2 500 ppm"
    assert path.read_text("utf-8").splitlines()[0].startswith("at,mac,chip,kind,node,site,")
    assert register.entries(tmp_path / "none.csv") == []


def test_a_batch_is_read_as_a_spreadsheet_saves_it(tmp_path: Path) -> None:
    path = tmp_path / "nodes.csv"
    path.write_text("\ufeffnode,site,sensors,note\r\n3-2-a,hana,pms5003:P-1 scd4x:S-1:i2c2,x\r\n5-1-a,,,\r\n")
    assert register.wanted(path) == [
        Wanted("3-2-a", "hana", (Sensor("pms5003", "P-1"), Sensor("scd4x", "S-1", "i2c2"))),
        Wanted("5-1-a"),
    ]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("node;site;note\r\n3-2-a;hana;창가\r\n", "utf-8-sig"),
        ("node\tsite\tnote\n3-2-a\thana\t창가\n", "utf-8"),
        ("node,site,note\r\n3-2-a,hana,창가\r\n", "cp949"),
    ],
)
def test_every_spreadsheet_s_csv_is_read(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "nodes.csv").write_bytes(text.encode(encoding))
    assert register.wanted(tmp_path / "nodes.csv") == [Wanted("3-2-a", "hana")]


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_bytes("node\n".encode("utf-16"))
    with pytest.raises(BadList, match="no text") as told:
        register.wanted(tmp_path / "nodes.csv")
    assert "UTF-8" in told.value.advice


def test_a_register_that_is_held_open_is_told(tmp_path: Path) -> None:
    (tmp_path / "flashed.csv").mkdir()  # as little to be written as a file that a spreadsheet holds
    with pytest.raises(NotEntered, match="3-2-a can't be entered") as told:
        register.enter(tmp_path / "flashed.csv", ENTRY)
    assert "Close it and repeat" in told.value.advice


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("node\n", "no node stands in it"),
        ("id,site\n3-2-a,hana\n", "no column `node`"),
        ("node\n3-2-A\n", r"nodes.csv:2: node '3-2-A': 1 to 32"),
        ("node,site\na,Hana School\n", "site 'Hana School'"),
        ("node\na\nb\na\n", "a stand in it twice"),
        ("node,sensors\na,pms5003\n", "TYPE:SERIAL is wanted"),
    ],
)
def test_a_mistake_in_a_batch_is_told(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "nodes.csv").write_text(text)
    with pytest.raises(BadList, match=words):
        register.wanted(tmp_path / "nodes.csv")


def drawn(svg: str, dots: int = 4) -> np.ndarray:
    """The label's code as it is drawn, from its path: rows of grey values."""
    path = re.search(r' d="([^"]+)"', svg)
    assert path
    runs = [tuple(map(int, run)) for run in re.findall(r"M(\d+) (\d+)h(\d+)", path[1])]
    side = max(x + n for x, _, n in runs) + label.QUIET
    picture = np.full((side, side), 255, np.uint8)
    for x, y, n in runs:
        picture[y, x : x + n] = 0
    return picture.repeat(dots, 0).repeat(dots, 1)


@pytest.mark.parametrize("node", ["3-2-a", "a", "a-very-long-name-of-a-node-32-ch"])
def test_a_label_s_code_is_read_back(node: str) -> None:
    svg = label.svg(ENTRY | {"node": node})
    (code,) = zxingcpp.read_barcodes(drawn(svg))
    assert code.text == f"gongi:hana/{node}?mac=246f0a0b0c0d"
    assert code.format == zxingcpp.BarcodeFormat.QRCode


def test_a_label_is_sound_svg_and_stays_on_its_paper() -> None:
    root = ElementTree.fromstring(label.svg(ENTRY | {"site": "a" * 32, "node": "b" * 32}))
    assert (root.get("width"), root.get("height")) == ("62mm", "29mm")
    texts = root.findall("{http://www.w3.org/2000/svg}text")
    assert [text.text for text in texts] == ["b" * 32, "a" * 32, ENTRY["mac"], "ESP32 · 2026-11-22"]
    for text in texts:
        width = 0.66 * float(text.attrib["font-size"]) * len(text.text or "")
        assert float(text.attrib["x"]) + width <= label.WIDTH


def test_a_page_has_every_label() -> None:
    page = label.page([ENTRY, ENTRY | {"node": "5-1-a"}])
    assert page.count("<svg") == 2
    assert "5-1-a" in page
