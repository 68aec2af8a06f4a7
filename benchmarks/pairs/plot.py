"""Quality against cost as one SVG, a panel for each table that `python -m benchmarks.pairs --csv` wrote.

python -m benchmarks.pairs.plot lastfm.csv movielens-1m.csv --to pairs.svg
"""

import argparse
import csv
import math
from html import escape
from pathlib import Path

COLOURS = {
    "pairs": "#0072B2",
    "implicit ALS": "#D55E00",
    "implicit BPR": "#E69F00",
    "implicit LMF": "#CC79A7",
    "gensim word2vec": "#009E73",
    "scikit-learn SVD": "#56B4E9",
    "seed's network": "#777777",
}
"""Okabe & Ito's, which the colour-blind can tell apart; shapes differ, too: ours are discs."""

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 460, 330, 52, 36, 44, 14


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--to", required=True, type=Path)
    arguments = parser.parse_args()
    panels = [(path.stem.removeprefix("pairs-"), list(csv.DictReader(path.open()))) for path in arguments.tables]
    arguments.to.write_text(drawn(panels))


def drawn(panels: list[tuple[str, list[dict[str, str]]]]) -> str:
    width, height = WIDTH * len(panels), HEIGHT + (44 if len(panels) == 1 else 28)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" '
        'font-size="11" fill="#444">',
        "<title>Link recall@20 against CPU seconds, logarithmic</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#fbfaf7"/>',
    ]
    for number, (name, rows) in enumerate(panels):
        parts.append(f'<g transform="translate({number * WIDTH} 0)">{_panel(name, rows)}</g>')
    seen = {row["group"] for _, rows in panels for row in rows}
    x, y = LEFT, HEIGHT + 10
    for group in (name for name in COLOURS if name in seen):
        step = 24 + round(6.2 * len(group))
        x, y = (x, y) if x + step < width else (LEFT, y + 16)
        mark = f'<g fill="{COLOURS[group]}">{_mark(x, y, group, group)}</g>'
        parts.append(f'{mark}<text x="{x + 8}" y="{y + 4}">{escape(group)}</text>')
        x += step
    return "\n".join([*parts, "</svg>\n"])


def _panel(name: str, rows: list[dict[str, str]]) -> str:
    """Axes, marks with their names as tooltips, and the staircase of the best for the seconds."""
    points = [(row["group"], row["name"], float(row["cpu_s"]), float(row["recall_20"])) for row in rows]
    points = [point for point in points if point[0] in COLOURS]
    low, high = (math.log10(found(point[2] for point in points)) for found in (min, max))
    low, high = math.floor(low * 2 - 0.2) / 2, math.ceil(high * 2 + 0.2) / 2
    top = max(point[3] for point in points) * 1.06

    def at(seconds: float, recall: float) -> tuple[float, float]:
        across = (math.log10(seconds) - low) / (high - low)
        x, y = LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - recall / top * (HEIGHT - TOP - BOTTOM)
        return round(x, 1), round(y, 1)

    parts = [f'<text x="{LEFT}" y="22" font-size="14" font-weight="600" fill="#222">{escape(name)}</text>']
    for step in range(math.ceil(low), math.floor(high) + 1):
        x, _ = at(10.0**step, 0)
        parts.append(f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{10.0**step:g}</text>')
    for tenth in range(0, int(top * 20) + 1):
        _, y = at(10**low, tenth / 20)
        parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{tenth / 20:.2f}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - BOTTOM + 31}" text-anchor="end">CPU seconds</text>')
    best = 0.0
    stairs: list[str] = []
    for _, _, seconds, recall in sorted(points, key=lambda point: (point[2], -point[3])):
        if recall > best:
            (x, y), (_, before) = at(seconds, recall), at(seconds, best)
            stairs.append(f"M{x} {y}" if not stairs else f"L{x} {before}L{x} {y}")
            best = recall
    parts.append(f'<path d="{"".join(stairs)}H{WIDTH - RIGHT}" fill="none" stroke="#0072B2" stroke-dasharray="3 3"/>')
    for group, colour in COLOURS.items():
        marks = [_mark(*at(x, y), group, f"{label}: {y:.3f} in {x:.2g} s") for of, label, x, y in points if of == group]
        parts.append(f'<g fill="{colour}">{"".join(marks)}</g>')
    return "\n".join(parts)


def _mark(x: float, y: float, group: str, told: str) -> str:
    """A disc for ours, a square for a peer; `told` is shown when the pointer rests on it."""
    name, shape = "path", f'd="M{x - 4:.1f} {y - 4:.1f}h8v8h-8z"'
    if group == "pairs":
        name, shape = "circle", f'cx="{x}" cy="{y}" r="4.5"'
    return f"<{name} {shape}><title>{escape(told)}</title></{name}>"


if __name__ == "__main__":
    main()
