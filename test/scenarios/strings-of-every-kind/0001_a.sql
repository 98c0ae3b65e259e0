create table a (t text);
insert into a values ('a;''b\'), (E'it\'s;\\'), (U&'d\0061t\+000061;'), (U&'d!0061' uescape '!'),
  ('a'
  ';b'), (N'n;'), ($$;$$), (B'01'::text || X'1F'::text), (e'\x41');
