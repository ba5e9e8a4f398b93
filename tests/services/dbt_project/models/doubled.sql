{{ config(materialized="ephemeral") }}
select id, customer, amount * 2 as twice from {{ ref("stg_orders") }}
