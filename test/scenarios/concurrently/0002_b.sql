-- lockstep: no-transaction
create index concurrently a_note on a (note);
