create table a (id int primary key, note text);
copy (select * from a) to stdout with (format csv);
select 1/0;
