create function begin() returns int language sql as 'select 1;';
create table atomic (begin int default begin());
insert into atomic default values;
