create table a (id int primary key, note text);
insert into a values (1, 'x'), (2, 'x');
