create table "commit" ("end" text default 'commit; rollback;', begin int);
-- commit;
/* rollback; */
create function f() returns text language plpgsql as $$
begin
  return 'commit;';
end;
$$;
insert into "commit" values (f(), 1);
