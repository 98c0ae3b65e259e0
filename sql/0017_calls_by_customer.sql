-- lockstep: no-transaction
-- The page of a customer lists the last calls first. Calls come in all day, and
-- a plain "create index" would hold them up until it is built; no transaction
-- can hold the two statements that do not. A run that dies between them goes on
-- at the second, and an index that was left half built is built again.
create index concurrently calls_customer_id_started_at_idx
  on calls (customer_id, started_at desc);

-- The new one begins with the same column, so it serves all that this one did.
drop index concurrently calls_customer_id_idx;
