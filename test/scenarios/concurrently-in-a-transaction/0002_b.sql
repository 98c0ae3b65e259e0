create index concurrently a_note on a (note);
drop index concurrently if exists other;
