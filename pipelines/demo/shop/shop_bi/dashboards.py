"""What people have built in the BI tool. Three of the charts are broken on purpose; each says how."""

from typing import Any

RUNNING_REVENUE = """
select month, category, running_revenue
from reporting.revenue_trend
"""

CANCELLED_SHARE = """
with orders_of_months as (
    select date_trunc('month', ordered_at) as month, is_cancelled
    from staging.stg_orders
)
select month, avg(case when is_cancelled then 1 else 0 end) as cancelled_share
from orders_of_months
group by month
"""

# On purpose: the table was called so until it became daily_sales (not_found, with that as candidate).
CHANNELS = """
select day, channel, net_revenue
from reporting.daily_sale
"""

# On purpose: orders and payments both have a status (ambiguous_column), since payments got one.
OPEN_PAYMENTS = """
select status, count(*) as payments
from raw.orders
join raw.payments on payments.order_id = orders.order_id
group by 1
"""

DASHBOARDS: list[dict[str, Any]] = [
    {
        "slug": "revenue",
        "title": "Revenue",
        "about": "What the shop earns, month by month.",
        "group": "Finance",
        "owner": "finance@shop.example",
        "charts": [
            {
                "slug": "running_revenue",
                "title": "Running revenue by category",
                "kind": "line",
                "sql": RUNNING_REVENUE,
            },
            {
                "slug": "gross_and_net",
                "title": "Gross and net",
                "kind": "bar",
                "columns": [
                    {"schema": "reporting", "table": "sales_by_month", "column": "gross_revenue"},
                    {"schema": "reporting", "table": "sales_by_month", "column": "net_revenue"},
                ],
            },
        ],
    },
    {
        "slug": "stores",
        "title": "Stores",
        "about": "The stores' days.",
        "group": "Sales",
        "owner": "stores@shop.example",
        "charts": [
            {
                "slug": "days",
                "title": "Sales of the days",
                "kind": "table",
                "table": {"schema": "reporting", "table": "daily_sales"},
            },
            {"slug": "channels", "title": "Web and till", "kind": "line", "sql": CHANNELS},
        ],
    },
    {
        "slug": "orders",
        "title": "Orders",
        "about": "How orders fare.",
        "group": "Sales",
        "owner": "sales.data@shop.example",
        "charts": [
            {"slug": "cancelled", "title": "Cancelled orders", "kind": "line", "sql": CANCELLED_SHARE},
            {"slug": "open_payments", "title": "Open payments", "kind": "bar", "sql": OPEN_PAYMENTS},
            {
                # On purpose: the application and the warehouse both have a table of this name (ambiguous).
                "slug": "all_orders",
                "title": "All orders",
                "kind": "table",
                "table": {"table": "orders"},
            },
        ],
    },
    {
        "slug": "customers",
        "title": "Customers",
        "about": "Who buys most.",
        "group": "Sales",
        "owner": "sales.data@shop.example",
        "charts": [
            {
                "slug": "best_customers",
                "title": "Best customers",
                "kind": "table",
                "table": {"cluster": "warehouse", "schema": "reporting", "table": "best_customers"},
            },
        ],
    },
]
