create table b as select * from a;
