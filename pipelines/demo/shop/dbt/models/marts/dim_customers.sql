select
    customers.customer_id,
    customers.full_name,
    customers.country_code,
    cast(customers.registered_at as timestamp) as registered_at,
    coalesce(sum(sales.net_amount), 0) as lifetime_value
from {{ source('raw', 'customers') }} as customers
left join {{ ref('fct_sales') }} as sales on sales.customer_id = customers.customer_id
group by all
