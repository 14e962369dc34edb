"""Measurements of the core. They are no part of the product: nothing imports them, and no wheel holds them."""
