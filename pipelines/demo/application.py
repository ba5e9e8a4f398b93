"""The shop application's SQLite database: invented, and the same every time."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

SEED = 20_261_101
CUSTOMERS, ORDERS, TILL_SALES = 5_000, 42_000, 12_000
OPENED = datetime(2025, 1, 1, 8)
MINUTES = 400 * 24 * 60  # how long the shop has been open

_TABLES = """
create table customers (
    customer_id integer primary key, full_name text not null, email text not null, country_code text not null,
    registered_at text not null);
create table categories (category_id integer primary key, category_name text not null);
create table products (
    product_id integer primary key, category_id integer not null references categories (category_id),
    product_name text not null, list_price_cents integer not null);
create table orders (
    order_id integer primary key, customer_id integer not null references customers (customer_id),
    ordered_at text not null, status text not null);
create table order_items (
    order_item_id integer primary key, order_id integer not null references orders (order_id),
    product_id integer not null references products (product_id), quantity integer not null,
    unit_price_cents integer not null, discount_cents integer not null);
create table till_sales (
    till_sale_id integer primary key, product_id integer not null references products (product_id),
    sold_at text not null, quantity integer not null, unit_price_cents integer not null);
create table payments (
    payment_id integer primary key, order_id integer not null references orders (order_id),
    method text not null, status text not null, amount_cents integer not null, paid_at text);
create table refunds (
    refund_id integer primary key, order_item_id integer not null references order_items (order_item_id),
    amount_cents integer not null, refunded_at text not null);
"""
TABLES = ("customers", "categories", "products", "orders", "order_items", "till_sales", "payments", "refunds")

_FIRST = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Klara", "Leo")
_LAST = ("Bauer", "Dubois", "Fischer", "Jansen", "Keller", "Lind", "Moreau", "Nowak", "Rossi", "Weber")
_COUNTRIES = ("AT", "CH", "DE", "DK", "FR", "IT", "NL", "PL")
_GOODS = {
    "Coffee": ("Espresso", "Filter roast", "Decaf", "Cold brew"),
    "Tea": ("Assam", "Earl Grey", "Sencha", "Rooibos"),
    "Kitchen": ("Kettle", "Moka pot", "Grinder", "Scale"),
    "Books": ("On coffee", "On tea", "Latte art"),
}


def make_application(path: Path) -> None:
    """Writes the database into a new file."""
    with closing(sqlite3.connect(path)) as db:
        # The file gets its name when it is whole; what a crash leaves is thrown away.
        db.executescript(f"pragma journal_mode = off; pragma synchronous = off; {_TABLES}")
        for table, rows in _rows(random.Random(SEED)):  # noqa: S311 - invented data, the same every time
            marks = ", ".join("?" * len(rows[0]))
            db.executemany(f"insert into {table} values ({marks})", rows)  # noqa: S608 - names of ours
        db.commit()


def _rows(dice: random.Random) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    yield "customers", [_customer(dice, number) for number in range(1, CUSTOMERS + 1)]
    yield "categories", list(enumerate(_GOODS, start=1))
    products = list(_products(dice))
    yield "products", products
    prices = {product[0]: product[3] for product in products}
    orders = [_order(dice, number) for number in range(1, ORDERS + 1)]
    yield "orders", orders
    items = list(_items(dice, orders, prices))
    yield "order_items", items
    yield "till_sales", [_till_sale(dice, number, prices) for number in range(1, TILL_SALES + 1)]
    yield "payments", _payments(dice, orders, items)
    yield "refunds", list(_refunds(dice, items))


def _moment(dice: random.Random) -> str:
    return f"{OPENED + timedelta(minutes=int(dice.random() * MINUTES)):%Y-%m-%d %H:%M:%S}"


def _customer(dice: random.Random, number: int) -> tuple[Any, ...]:
    first, last = dice.choice(_FIRST), dice.choice(_LAST)
    email = f"{first}.{last}.{number}@example.com".lower()
    return number, f"{first} {last}", email, dice.choice(_COUNTRIES), _moment(dice)


def _products(dice: random.Random) -> Iterator[tuple[Any, ...]]:
    number = 0
    for category, goods in enumerate(_GOODS.values(), start=1):
        for name in goods:
            number += 1
            yield number, category, name, 50 * dice.randint(6, 120)


def _order(dice: random.Random, number: int) -> tuple[Any, ...]:
    status = "cancelled" if dice.random() < 0.04 else "delivered"
    return number, int(dice.random() * CUSTOMERS) + 1, _moment(dice), status


def _items(
    dice: random.Random, orders: list[tuple[Any, ...]], prices: dict[int, int]
) -> Iterator[tuple[Any, ...]]:
    number = 0
    for order in orders:
        for _ in range(1 + int(dice.random() * 4)):
            number += 1
            product, quantity = _bought(dice, prices)
            discount = quantity * prices[product] // 10 if dice.random() < 0.15 else 0
            yield number, order[0], product, quantity, prices[product], discount


def _till_sale(dice: random.Random, number: int, prices: dict[int, int]) -> tuple[Any, ...]:
    product, quantity = _bought(dice, prices)
    return number, product, _moment(dice), quantity, prices[product]


def _bought(dice: random.Random, prices: dict[int, int]) -> tuple[int, int]:
    return 1 + int(dice.random() * len(prices)), 1 + int(dice.random() * 3)


def _payments(
    dice: random.Random, orders: list[tuple[Any, ...]], items: list[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    totals = dict.fromkeys((order[0] for order in orders), 0)
    for _, order, _, quantity, price, discount in items:
        totals[order] += quantity * price - discount
    payments = []
    for number, _, ordered_at, status in orders:
        method = "card" if dice.random() < 0.7 else "invoice"
        paid_at = ordered_at if status == "delivered" else None
        payments.append((number, number, method, "paid" if paid_at else "void", totals[number], paid_at))
    return payments


def _refunds(dice: random.Random, items: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    number = 0
    for item, _, _, quantity, price, discount in items:
        if dice.random() < 0.03:
            number += 1
            yield number, item, quantity * price - discount, _moment(dice)
