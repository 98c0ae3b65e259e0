create table a (id int primary key, note text);
/* a /* b */
drop table a;
