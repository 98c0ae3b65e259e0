create table b (id int references a deferrable initially deferred);
insert into b values (1);
insert into a values (1);
