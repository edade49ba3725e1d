"""The figures that have a target as an SVG: each bar is scaled so that all targets stand in one line."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.figures import Figure, written

LABELS, TARGET, WIDTH, TOP, LINE = 340, 560, 940, 44, 26
COLOURS = {"met": "#2e7d4f", "missed": "#b3402e"}


def svg(figures: Sequence[Figure]) -> str:
    with_target = [figure for figure in figures if figure.target]
    height = TOP + LINE * len(with_target) + 12
    rows = "".join(_row(figure, TOP + LINE * number) for number, figure in enumerate(with_target))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f'<text x="{TARGET}" y="20" text-anchor="middle">target</text>{rows}'
        f'<line x1="{TARGET}" y1="28" x2="{TARGET}" y2="{height - 8}" stroke="#222" stroke-dasharray="4 3"/></svg>\n'
    )


def _row(figure: Figure, top: int) -> str:
    """A bar up to the median, a whisker from the least to the greatest run, and what they say in words."""
    low, median, high = (_place(figure, value) for value in figure.spread)
    middle, colour = top + 9, COLOURS[figure.verdict]
    name = escape(f"{figure.database}: {figure.name}")
    said = f"{written(figure.spread[1])} ({figure.wanted}: {figure.verdict})"
    return (
        f'<text x="{LABELS - 8}" y="{middle + 4}" text-anchor="end">{name}</text>'
        f'<rect x="{LABELS}" y="{top}" width="{median - LABELS:.0f}" height="18" fill="{colour}" opacity="0.75"/>'
        f'<path d="M{low:.0f} {middle - 5}v10m0-5H{high:.0f}m0-5v10" stroke="#222" fill="none"/>'
        f'<text x="{WIDTH - 8}" y="{middle + 4}" text-anchor="end" fill="{colour}">{escape(said)}</text>'
    )


def _place(figure: Figure, value: float) -> float:
    """Twice the target is as far as it goes; a target of 0 stands where all others do."""
    assert figure.target is not None
    share = value / figure.target[1] if figure.target[1] else 1 + min(value, 1) if value else 0
    return LABELS + (TARGET - LABELS) * min(share, 1.9)
