"""Make matplotlib's SVG files small by keeping only what is visible.

Matplotlib puts each shape into groups with ids, repeats the style on each element, and lists ten
fonts for each text element. A file that `slim` returns has one line for each text element, and one
line for consecutive shapes of the same style. It has no ids and no metadata, so equal figures
always give the same file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

_NAMESPACE = "http://www.w3.org/2000/svg"
_SVG = f"{{{_NAMESPACE}}}"
_HREF = "{http://www.w3.org/1999/xlink}href"

#: matplotlib measures text in DejaVu Sans. Text is not wider in the other fonts, so labels do not
#: overlap.
_FONTS = "DejaVu Sans, Verdana, Arial, sans-serif"
_FONT_SIZE = "10"
#: Style values that are left out, because SVG uses them by default or the <svg> element sets them.
_DEFAULTS = {"font-size": _FONT_SIZE, "text-anchor": "start", "stroke-dashoffset": "0"}


def slim(text: str) -> str:
    """Return a smaller SVG file that shows the same chart.

    Coordinates are rounded to a hundredth of a point. Clip paths are removed. Text is drawn above
    all shapes.

    Args:
        text: the content of a file that matplotlib wrote with `svg.fonttype` set to `none`.

    Raises:
        ValueError: a text element is a formula, whose characters matplotlib positions one by one.
    """
    root = ElementTree.fromstring(text)  # noqa: S314 - matplotlib wrote it
    size = {name: root.get(name, "") for name in ("width", "height", "viewBox")}
    fonts = {"font-family": _FONTS, "font-size": _FONT_SIZE, "stroke-linejoin": "round"}
    lines = [f"<svg{_attributes({'xmlns': _NAMESPACE} | size | fonts)}>"]
    for attributes, alike in groupby(_shapes(root), key=lambda shape: shape[0]):
        lines.append(f'<path d="{"".join(data for _, data in alike)}"{attributes}/>')
    lines += [_text(element) for element in root.iter(f"{_SVG}text")]
    return "\n".join([*lines, "</svg>", ""])


def _shapes(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """Yield the attributes and the path data of each shape. Each use of a marker is a shape too."""
    markers = {f"#{path.get('id')}": path for path in root.iter(f"{_SVG}path") if path.get("id")}
    for element in root.iter():
        if element.tag == f"{_SVG}path" and not element.get("id"):
            yield _attributes(_style(element)), _data(element)
        elif element.tag == f"{_SVG}use":
            marker = markers[element.attrib[_HREF]]
            at = float(element.attrib["x"]), float(element.attrib["y"])
            yield _attributes(_style(element) | _style(marker)), _data(marker, at)


def _text(element: ElementTree.Element) -> str:
    if len(element):
        words = "".join(element.itertext()).split()
        raise ValueError(f"Format this text without mathtext: {' '.join(words)}")
    # Matplotlib positions a text element either with `x`, `y` and `rotate(…)`, or with
    # `translate(…)` alone.
    action, *numbers = re.findall(r"[a-z]+|-?[\d.]+", element.get("transform", "rotate(0)"))
    x, y = numbers if action == "translate" else (element.attrib["x"], element.attrib["y"])
    place = {"x": _number(x), "y": _number(y)}
    if action == "rotate" and float(numbers[0]):
        place["transform"] = f"rotate({_number(numbers[0])} {place['x']} {place['y']})"
    style = {name: value for name, value in _style(element).items() if name != "font-family"}
    return f"<text{_attributes(place | style)}>{escape(element.text or '')}</text>"


def _style(element: ElementTree.Element) -> dict[str, str]:
    pairs = [part.partition(":") for part in element.get("style", "").split(";") if part.strip()]
    style = {name.strip(): value.strip().removesuffix("px") for name, _, value in pairs}
    return {name: value for name, value in style.items() if _DEFAULTS.get(name) != value}


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())


def _data(path: ElementTree.Element, at: tuple[float, float] = (0, 0)) -> str:
    """Return the data of a path, with all its coordinates moved by `at`."""
    parts: list[str] = []
    last = ["", ""]
    for command, listed in re.findall(r"([MLCQz])([^MLCQz]*)", path.get("d", "")):
        numbers = [float(number) + at[place % 2] for place, number in enumerate(listed.split())]
        named = [_number(number) for number in numbers]
        if command == "L" and last[0] == named[0]:
            parts.append(f"V{named[1]}")
        elif command == "L" and last[1] == named[1]:
            parts.append(f"H{named[0]}")
        else:
            parts.append(command + " ".join(named))
        last = named[-2:] or last
    return "".join(parts)


def _number(value: float | str) -> str:
    """Format a number with at most two decimal places, and -0 as 0."""
    return f"{round(float(value), 2) + 0:.7g}"
