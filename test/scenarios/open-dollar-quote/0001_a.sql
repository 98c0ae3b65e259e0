create table a (id int primary key, note text);
do $x$ begin end $y$;
