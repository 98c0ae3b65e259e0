insert into a select 2, current_setting('lock_timeout');
create table b (id int);
