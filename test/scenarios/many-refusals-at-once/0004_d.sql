copy a to stdout;
select 'open
