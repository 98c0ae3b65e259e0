-- lockstep: no-transaction
discard all;
