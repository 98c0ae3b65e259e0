commit;
vacuum;
