select
    sales.order_item_id,
    sales.customer_id,
    sales.channel,
    sales.sold_at,
    sales.product_id,
    sales.amount_cents / 100 as gross_amount,
    case
        when refunds.refunded_cents is null then sales.amount_cents / 100
        else (sales.amount_cents - refunds.refunded_cents) / 100
    end as net_amount
from {{ ref('stg_sales') }} as sales
left join {{ ref('stg_refunds') }} as refunds on refunds.order_item_id = sales.order_item_id
