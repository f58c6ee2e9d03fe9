"""Large numbers in words: bytes, tokens, hours, dollars."""

from __future__ import annotations


def size(bytes_: float) -> str:
    """Bytes for people, decimal: 21.0 GB."""
    for scale, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if bytes_ >= scale:
            value = bytes_ / scale
            return f"{value:.0f} {unit}" if value >= 100 or value == round(value) else f"{value:.1f} {unit}"
    return f"{bytes_:.0f} bytes"


def amount(number: float) -> str:
    """A large number for people: 26.3B."""
    for scale, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if number >= scale:
            return f"{number / scale:.3g}{unit}"
    return f"{number:,.0f}"


def money(dollars: float) -> str:
    """Dollars for people, with cents where there are few."""
    return f"${dollars:,.2f}" if dollars < 10 else f"${dollars:,.0f}"


def duration(hours: float) -> str:
    """Hours for people, in the unit that suits them."""
    if hours >= 48:
        days = hours / 24
        return f"{days:,.0f} days" if days < 730 else f"{days / 365:,.0f} years"
    if hours >= 1:
        return f"{hours:.1f} hours"
    return f"{hours * 60:.0f} minutes" if hours >= 1 / 60 else f"{hours * 3600:.0f} seconds"
