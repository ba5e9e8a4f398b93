{{ config(materialized="view", alias="Stg Orders") }}
select id, customer, amount from {{ ref("raw_orders") }}
