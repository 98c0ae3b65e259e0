-- lockstep: no-transaction
create unique index concurrently a_note on a (note);
