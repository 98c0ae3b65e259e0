create table a (id int primary key, note text);
set transaction isolation level serializable;
