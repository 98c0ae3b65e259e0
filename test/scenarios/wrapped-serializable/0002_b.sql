select 1 / (current_setting('transaction_isolation') = 'read committed')::int;
