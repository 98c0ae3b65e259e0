create schema other;
set search_path to other;
set lock_timeout = '1ms';
set statement_timeout = '90s';
set default_transaction_read_only = on;
set row_security = on;
select set_config('my.own', 'x', false);
create table inside (id int);
