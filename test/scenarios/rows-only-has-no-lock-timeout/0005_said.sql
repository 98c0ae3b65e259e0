-- lockstep: lock-timeout 3s
insert into a select 3, current_setting('lock_timeout');
select 1 / (note = '3s')::int from a where id = 3;
