-- lockstep: lock-timeout 2s
-- lockstep: statement-timeout 90s
select 1 / (current_setting('lock_timeout') = '2s')::int;
select 1 / (current_setting('statement_timeout') = '90s')::int;
