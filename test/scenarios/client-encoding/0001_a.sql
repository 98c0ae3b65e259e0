set client_encoding to 'LATIN1';
