create table b (id int);
  selekt 1;
