insert into a select 1, current_setting('lock_timeout');
