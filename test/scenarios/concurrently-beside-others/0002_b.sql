-- lockstep: no-transaction
insert into a values (1, 'x'), (2, 'y');
create unique index concurrently a_note on a (note);
insert into a values (3, 'z');
reindex index concurrently a_note;
