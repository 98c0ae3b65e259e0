create table b (id int references a);
