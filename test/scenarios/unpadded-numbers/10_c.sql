create table c as select * from b;
