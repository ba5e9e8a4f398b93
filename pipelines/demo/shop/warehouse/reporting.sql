-- The reporting views, views over views over what dbt makes. The warehouse's catalogue tells their SQL, so no
-- connection reads this file.
create schema if not exists reporting;

-- net_amount: a sum over the join of sales and products.
create or replace view reporting.sales_by_month as
select
    date_trunc('month', sales.sold_at) as month,
    products.category_name as category,
    sum(sales.gross_amount) as gross_revenue,
    sum(sales.net_amount) as net_revenue
from marts.fct_sales as sales
join marts.dim_products as products on products.product_id = sales.product_id
group by all;

create or replace view reporting.revenue_trend as
select
    month,
    category,
    net_revenue,
    sum(net_revenue) over (partition by category order by month) as running_revenue
from reporting.sales_by_month;

create or replace view reporting.best_customers as
with ranked as (
    select
        customer_id,
        full_name,
        country_code,
        lifetime_value,
        rank() over (partition by country_code order by lifetime_value desc) as place
    from marts.dim_customers
)
select country_code, place, full_name, lifetime_value
from ranked
where place <= 10;
