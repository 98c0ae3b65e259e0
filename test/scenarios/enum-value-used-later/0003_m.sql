create table m (mood mood default 'happy');
insert into m default values;
