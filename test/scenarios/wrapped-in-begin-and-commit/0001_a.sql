-- every file of this project is so
BEGIN;
create table a (id int primary key, note text);
COMMIT;
