--
-- PostgreSQL database dump
--

\restrict 5LkVhYYq3cFMpTJGRJ7xCUPxlN1nEAKcbHz9HjlZYSqGuPxmZBGeWLTVYSSoWVi

SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET row_security = off;

CREATE TABLE public.a (id integer NOT NULL);
ALTER TABLE ONLY public.a ADD CONSTRAINT a_pkey PRIMARY KEY (id);

\unrestrict 5LkVhYYq3cFMpTJGRJ7xCUPxlN1nEAKcbHz9HjlZYSqGuPxmZBGeWLTVYSSoWVi

