create table b (id int);
call p();
