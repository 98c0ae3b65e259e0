insert into b values (7);
