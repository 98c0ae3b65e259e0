-- lockstep: no-transaction
begin;
create table a (id int primary key, note text);
commit;
