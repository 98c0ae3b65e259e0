set transaction isolation level repeatable read;
select 1 / (current_setting('transaction_isolation') = 'repeatable read')::int;
create table a (id int primary key, note text);
