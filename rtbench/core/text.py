"""Numbers as text."""

from __future__ import annotations


def three_figures(value: float) -> str:
    """Three significant figures without a power of ten: 0.502, 17.4, 174 and 1070."""
    return f"{value:.0f}" if abs(value) >= 999.5 else f"{value:.3g}"  # '.3g' would write 1.07e+03
