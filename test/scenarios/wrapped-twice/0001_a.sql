begin;
create table a (id int primary key, note text);
commit;
begin;
create table b (id int);
commit;
