create table a (id int primary key, note text);
create table log (id int);
create rule r as on insert to a do (insert into log values (new.id); insert into log values (-new.id));
insert into a values (1);
