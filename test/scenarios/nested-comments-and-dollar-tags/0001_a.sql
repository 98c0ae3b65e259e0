/* a /* ; commit; */ ' */
create table a (t text default $a$;$$ ' $b$ -- $a$, u text default $é1$\$é1$);
insert into a default values;
select 1/**/as a$b$;
