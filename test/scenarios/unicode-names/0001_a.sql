create table "größe;" (ключ int, 名前 text, a$1 int);
create view u as select ключ as "😀" from "größe;";
create table U&"d\0061t\+000061" (id int);
