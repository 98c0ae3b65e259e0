-- lockstep: no-transaction
-- lockstep: lock-timeout soon
vacuum;
rollback;
