create table a (id int primary key, note text);
do $$ begin insert into a values (1); commit; end $$;
