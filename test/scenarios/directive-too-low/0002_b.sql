select '
-- lockstep: no-transaction
';
