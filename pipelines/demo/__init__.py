"""The demo: a shop, from its application's tables up to its dashboards, and what shows it."""

from pathlib import Path

SHOP = Path(__file__).parent / "shop"
