-- lockstep: no-transaction
create table a (id int primary key, note text);
Commit Prepared 'x';
