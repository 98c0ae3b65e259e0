create table outside (id int);
select 1 / (current_setting('statement_timeout') = '0')::int;
select 1 / (current_setting('lock_timeout') in ('0', '5s'))::int;
select 1 / (coalesce(current_setting('my.own', true), '') = '')::int;
select 1 / (to_regclass('public.outside') is not null)::int;
