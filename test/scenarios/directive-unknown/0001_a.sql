-- lockstep: no-transactoin
vacuum;
