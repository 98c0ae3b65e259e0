insert into a values (1, 'x');
commit;
create table b (id int);
