create or replace function f(begin int) returns int language sql
  begin atomic
    select case when $1 > 0 then 1 else 2 end;
    select 3;
  end;
create procedure p() begin atomic insert into a values (1); insert into a values (2); end;
call p();
