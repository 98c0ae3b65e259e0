-- lockstep: statement-timeout 50ms
select pg_sleep(5);
