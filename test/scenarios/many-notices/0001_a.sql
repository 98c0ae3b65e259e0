create table a (id int primary key, note text);
do $$ begin for i in 1..1000 loop raise warning 'secret %', i; end loop; end $$;
