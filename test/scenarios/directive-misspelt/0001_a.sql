-- lockstep : after-rollout
create table a (id int primary key);
