create table a (id int primary key, note text);
rollback;
begin;
create table b (id int);
