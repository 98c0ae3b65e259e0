create temporary table a (id int);
declare c cursor with hold for select 1;
prepare p as select 1;
listen l;
