/* lockstep: no-transaction */
vacuum;
