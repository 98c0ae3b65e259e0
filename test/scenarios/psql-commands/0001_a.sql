\set ON_ERROR_STOP on
create table a (id int primary key, note text);
\i other.sql
\connect other
