create table a (id int primary key, note text);
commit prepared 'x';
rollback prepared 'y';
