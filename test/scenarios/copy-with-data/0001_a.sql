create table a (id int primary key, note text);
COPY a (id, note) FROM stdin;
1	it's
2	\N
\.


COPY a (id, note) FROM stdin;
3	$$ commit;
\.
vacuum;
