create table d as select * from b;
