-- lockstep: no-transaction
vacuum analyze a;
