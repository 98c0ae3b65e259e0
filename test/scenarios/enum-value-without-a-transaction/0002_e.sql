-- lockstep: no-transaction
alter type mood add value 'happy';
create table m (mood mood default 'happy');
insert into m default values;
