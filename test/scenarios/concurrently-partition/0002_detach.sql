-- lockstep: allow detach on p
-- lockstep: no-transaction
alter table p detach partition p1 concurrently;
