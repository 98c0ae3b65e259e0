create table a (id int primary key, note text);
/*x*/CoMmIt/**/WoRk -- c
;
select 1/0;
