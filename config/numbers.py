"""Numbers as people read them at a glance."""


def short(number: int) -> str:
    """A number in five places at most: 812, 9.1k, 128k, 1.2M."""
    for size, unit in ((1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= size * 0.9995:
            scaled = number / size
            return f"{scaled:.0f}{unit}" if scaled >= 99.95 else f"{scaled:.1f}".removesuffix(".0") + unit
    return str(number)
