create table a (id int primary key, note text);
select pg_advisory_unlock_all();
