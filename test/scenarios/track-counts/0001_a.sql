set track_counts = off;
create table a (id int primary key, note text);
