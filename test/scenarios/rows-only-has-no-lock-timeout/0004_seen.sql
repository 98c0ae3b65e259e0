select 1 / (note = '0')::int from a where id = 1;
select 1 / (note = '5s')::int from a where id = 2;
