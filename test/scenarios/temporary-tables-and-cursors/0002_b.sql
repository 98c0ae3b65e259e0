create table a (id int primary key, note text);
declare c cursor for select 1;
prepare p as select 1;
select 1 / (to_regclass('public.a') is not null)::int;
