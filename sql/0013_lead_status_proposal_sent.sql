-- Alone in its file: a value added to an enum cannot be used until the
-- transaction that added it has committed. 0014 uses it.
--
-- Adding is safe for running releases as long as they can read a status they do
-- not know. A value cannot be taken away again.
alter type lead_status
  add value 'proposal_sent' before 'won';

-- On an enum the place in the list is how values sort, hence "before".
comment on type lead_status is 'Stages of the pipeline, in order; proposal_sent waits for the customer.';
