select
    products.product_id,
    products.product_name,
    categories.category_name,
    products.list_price_cents / 100 as list_price
from {{ source('raw', 'products') }} as products
join {{ source('raw', 'categories') }} as categories on categories.category_id = products.category_id
