create table a (id int primary key, note text);
create function f() returns text language sql as $$
  select 'a' -- c
  'b';
$$;
-- end
insert into a values (1, 'x');
