start transaction;
insert into a values (1);
end work;
