create table a (id int primary key, note text);
savepoint s;
insert into a values (1);
rollback to s;
insert into a values (2);
release savepoint s;
