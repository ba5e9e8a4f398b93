select
    order_id,
    customer_id,
    cast(ordered_at as timestamp) as ordered_at,
    status = 'cancelled' as is_cancelled
from {{ source('raw', 'orders') }}
