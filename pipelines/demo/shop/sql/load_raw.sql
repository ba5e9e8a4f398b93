-- Every hour: the warehouse's raw tables, loaded whole from the application, whose database is attached as `app`.
create schema if not exists raw;

create or replace table raw.customers (
    customer_id bigint, full_name varchar, email varchar, country_code varchar, registered_at varchar
);
insert into raw.customers
select customer_id, full_name, email, country_code, registered_at
from app.main.customers;

create or replace table raw.categories (category_id bigint, category_name varchar);
insert into raw.categories
select category_id, category_name
from app.main.categories;

create or replace table raw.products (
    product_id bigint, category_id bigint, product_name varchar, list_price_cents bigint
);
insert into raw.products
select product_id, category_id, product_name, list_price_cents
from app.main.products;

create or replace table raw.orders (order_id bigint, customer_id bigint, ordered_at varchar, status varchar);
insert into raw.orders
select order_id, customer_id, ordered_at, status
from app.main.orders;

create or replace table raw.order_items (
    order_item_id bigint, order_id bigint, product_id bigint, quantity bigint, unit_price_cents bigint,
    discount_cents bigint
);
insert into raw.order_items
select order_item_id, order_id, product_id, quantity, unit_price_cents, discount_cents
from app.main.order_items;

create or replace table raw.till_sales (
    till_sale_id bigint, product_id bigint, sold_at varchar, quantity bigint, unit_price_cents bigint
);
insert into raw.till_sales
select till_sale_id, product_id, sold_at, quantity, unit_price_cents
from app.main.till_sales;

create or replace table raw.payments (
    payment_id bigint, order_id bigint, method varchar, status varchar, amount_cents bigint, paid_at varchar
);
insert into raw.payments
select payment_id, order_id, method, status, amount_cents, paid_at
from app.main.payments;

create or replace table raw.refunds (
    refund_id bigint, order_item_id bigint, amount_cents bigint, refunded_at varchar
);
insert into raw.refunds
select refund_id, order_item_id, amount_cents, refunded_at
from app.main.refunds;
