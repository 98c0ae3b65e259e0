create table faqs (
  id bigint generated always as identity primary key,
  business_id bigint not null references businesses (id),
  position integer not null check (position > 0),
  question text not null check (length(question) between 1 and 300),
  answer text not null,
  is_published boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- Begins with business_id, so it serves the foreign key as well. Deferrable,
  -- so that two answers can swap places within one transaction.
  constraint faqs_business_id_position_key
    unique (business_id, position)
    deferrable initially immediate
);

create trigger faqs_touch_updated_at
  before update on faqs
  for each row
  execute function touch_updated_at();

comment on table faqs is 'Questions the assistant may answer by itself, in the words of the business.';

insert into faqs (business_id, position, question, answer, created_at, updated_at)
select businesses.id, seeds.position, seeds.question, seeds.answer, seeds.at, seeds.at
from (values
  ('alder-dental', 1, 'Do you take new patients?', 'Yes; we have room for about ten a month.', timestamptz '2025-11-03 10:00:00+00'),
  ('alder-dental', 2, 'What does a check-up cost?', 'A check-up costs £48, X-rays included.', '2025-11-03 10:05:00+00'),
  ('alder-dental', 3, 'Is there parking?', 'Four spaces behind the house; the gate code is in your letter.', '2025-11-03 10:10:00+00'),
  ('alder-dental', 4, 'What if I''m in pain today?', 'Call before 09:00 and we''ll see you the same day.', '2025-11-03 10:15:00+00'),
  ('birch-bakery', 1, 'When are you open?', 'Tuesday to Saturday, 07:00–16:00.', '2025-11-04 10:00:00+00'),
  ('birch-bakery', 2, 'Do you bake without gluten?', 'On Thursdays, in a separate oven; please order by Tuesday.', '2025-11-04 10:05:00+00'),
  ('birch-bakery', 3, 'How early must I order a cake?', 'Three days ahead; wedding cakes six weeks.', '2025-11-04 10:10:00+00'),
  ('birch-bakery', 4, 'Do you deliver?', 'Within five miles, for orders over £30.', '2025-11-04 10:15:00+00'),
  ('cedar-plumbing', 1, 'Do you come out at night?', 'For burst pipes and lost heating, yes. The night rate is double.', '2025-11-05 10:00:00+00'),
  ('cedar-plumbing', 2, 'Is the quote free?', 'Yes, and it holds for 30 days.', '2025-11-05 10:05:00+00'),
  ('cedar-plumbing', 3, 'Are you insured?', 'Up to €2,000,000; the certificate can be sent on request.', '2025-11-05 10:10:00+00'),
  ('cedar-plumbing', 4, 'Which boilers do you service?', 'All gas boilers sold since 2005.', '2025-11-05 10:15:00+00'),
  ('elm-optics', 1, 'How long is an eye test?', 'About 25 minutes.', '2025-11-06 10:00:00+00'),
  ('elm-optics', 2, 'Can I bring my own frame?', 'Yes, if it''s sound; we look at it first.', '2025-11-06 10:05:00+00'),
  ('elm-optics', 3, 'How soon are glasses ready?', 'Most within seven working days.', '2025-11-06 10:10:00+00'),
  ('elm-optics', 4, 'Do you test children?', 'From the age of four.', '2025-11-06 10:15:00+00'),
  ('hazel-gardens', 1, 'Do you plant as well as design?', 'Yes, with our own team, from October to April.', '2025-11-07 10:00:00+00'),
  ('hazel-gardens', 2, 'What does a plan cost?', 'From €350, taken off the bill if we plant it.', '2025-11-07 10:05:00+00'),
  ('hazel-gardens', 3, 'Do you work on balconies?', 'Gladly: we need photographs and the size in metres.', '2025-11-07 10:10:00+00'),
  ('hazel-gardens', 4, 'Who waters in summer?', 'A visit a week can be booked from June to September.', '2025-11-07 10:15:00+00'),
  ('rowan-cycles', 1, 'Do I need an appointment?', 'Not for a puncture; for anything else, yes.', '2025-11-08 10:00:00+00'),
  ('rowan-cycles', 2, 'Do you repair electric bicycles?', 'Yes, apart from opened batteries.', '2025-11-08 10:05:00+00'),
  ('rowan-cycles', 3, 'How long does a service take?', 'Two days in winter, about a week in May.', '2025-11-08 10:10:00+00'),
  ('rowan-cycles', 4, 'Do you lend a bicycle meanwhile?', 'We have three; ask when you book.', '2025-11-08 10:15:00+00')
) as seeds (slug, position, question, answer, at)
join businesses on businesses.slug = seeds.slug
order by seeds.at;
