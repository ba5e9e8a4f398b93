{{ config(materialized="table") }}
select c.region, sum(d.twice) as total
from {{ ref("doubled") }} d join {{ source("app", "customers") }} c on c.id = d.customer
group by c.region
