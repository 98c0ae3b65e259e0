set client_encoding = 'UTF8';
set names 'utf-8';
