create table a (id int primary key, note text);
copy a (id, note) from stdin;
