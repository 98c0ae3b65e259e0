alter type mood add value 'happy';
create table m (mood mood default 'happy');
