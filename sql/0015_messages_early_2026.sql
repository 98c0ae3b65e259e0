-- "create table ... partition of" would lock all of messages, for reads too. A
-- table made apart and then attached locks the default partition only, so
-- reading and writing in other months goes on.

-- Attaching takes these locks anyway. Taken first, and in the order in which
-- the application writes (conversation, then message), they cannot deadlock
-- with it, and no message for January arrives between the move and the attach.
lock table conversations in share row exclusive mode;
lock table messages_default in access exclusive mode;

-- No "including identity": the number comes from messages, also for partitions.
create table messages_2026_01 (
  like messages
    including defaults
    including constraints
    including indexes
);
create table messages_2026_02 (
  like messages
    including defaults
    including constraints
    including indexes
);

-- January came before its partition did. Its messages leave the default one
-- first, because attaching refuses a range of which the default holds rows.
with moved as (
  delete from messages_default
  where sent_at >= '2026-01-01 00:00:00+00'
    and sent_at < '2026-02-01 00:00:00+00'
  returning id, conversation_id, author, body, sent_at
)
insert into messages_2026_01 (id, conversation_id, author, body, sent_at)
select id, conversation_id, author, body, sent_at
from moved;

alter table messages
  attach partition messages_2026_01
  for values from ('2026-01-01 00:00:00+00') to ('2026-02-01 00:00:00+00');

-- Made ahead of its time, so that next month there is nothing to move.
alter table messages
  attach partition messages_2026_02
  for values from ('2026-02-01 00:00:00+00') to ('2026-03-01 00:00:00+00');
