-- Every night: the aggregate that the stores' dashboard reads.
create temporary table sales_of_days as
select
    cast(sold_at as date) as day,
    channel,
    count(*) as sales,
    sum(net_amount) as net_revenue
from marts.fct_sales
group by all;

create schema if not exists reporting;

create or replace table reporting.daily_sales as
select
    days.day,
    days.channel,
    days.sales,
    days.net_revenue,
    days.net_revenue / months.net_revenue as share_of_month
from sales_of_days as days
join (
    select month, sum(net_revenue) as net_revenue
    from reporting.sales_by_month
    group by month
) as months on months.month = date_trunc('month', days.day);

drop table sales_of_days;
