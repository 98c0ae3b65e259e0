begin isolation level serializable;
select 1 / (current_setting('transaction_isolation') = 'serializable')::int;
create table a (id int primary key, note text);
commit;
