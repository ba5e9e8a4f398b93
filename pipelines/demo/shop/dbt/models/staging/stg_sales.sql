with web as (
    select
        items.order_item_id,
        orders.customer_id,
        'web' as channel,
        orders.ordered_at as sold_at,
        items.product_id,
        items.quantity * items.unit_price_cents - items.discount_cents as amount_cents
    from {{ source('raw', 'order_items') }} as items
    join {{ ref('stg_orders') }} as orders on orders.order_id = items.order_id
    where not orders.is_cancelled
),

till as (
    select
        null as order_item_id,
        null as customer_id,
        'till' as channel,
        cast(sold_at as timestamp) as sold_at,
        product_id,
        quantity * unit_price_cents as amount_cents
    from {{ source('raw', 'till_sales') }}
)

select * from web
union all
select * from till
