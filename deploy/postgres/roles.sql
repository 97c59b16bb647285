-- Two roles and a database for Theo: one that makes the tables, one that serves.
--
--   psql -v owner_password=… -v serve_password=… -f roles.sql postgres
--   THEO_STORE=postgres://theo_owner@HOST/theo theo migrate
--   THEO_STORE=postgres://theo@HOST/theo theo serve
--
-- Neither is a superuser nor has BYPASSRLS: row-level security holds for both, also for the owner
-- of the tables. After an upgrade run `theo migrate` as the owner again, before the new program
-- serves. Where one role is enough, make theo_owner alone and let it serve.
\set ON_ERROR_STOP on
\if :{?owner_password}
\else
  \echo 'give -v owner_password=… and -v serve_password=…'
  \q
\endif

CREATE ROLE theo_owner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'owner_password';
CREATE ROLE theo LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'serve_password';
CREATE DATABASE theo OWNER theo_owner ENCODING 'UTF8' TEMPLATE template0;
\connect theo
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO theo_owner;
GRANT USAGE ON SCHEMA public TO theo;
ALTER DEFAULT PRIVILEGES FOR ROLE theo_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO theo;
