select order_item_id, sum(amount_cents) as refunded_cents
from {{ source('raw', 'refunds') }}
group by order_item_id
