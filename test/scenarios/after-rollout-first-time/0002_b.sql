-- lockstep: allow drop-column on a
-- lockstep: after-rollout
-- lockstep: breaks-before 1
alter table a drop column note;
