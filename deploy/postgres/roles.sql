-- Two roles and a database for Theo: one role owns and makes the tables, the other serves.
--
--   psql -v owner_password=… -v serve_password=… -f roles.sql postgres
--   THEO_STORE=postgres://theo_owner@HOST/theo theo migrate
--   THEO_STORE=postgres://theo@HOST/theo theo serve
--
-- -v role=NAME takes another name than theo. Neither role is a superuser nor has BYPASSRLS, and
-- row-level security holds for both, also for the owner of the tables. After an upgrade run
-- `theo migrate` as the owner again, before the new program serves. Where one role is enough, let
-- the owner serve.
\set ON_ERROR_STOP on
\if :{?role}
\else
\set role theo
\endif
\set owner :role '_owner'

CREATE ROLE :"owner" LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'owner_password';
CREATE ROLE :"role" LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'serve_password';
CREATE DATABASE :"role" OWNER :"owner" ENCODING 'UTF8' TEMPLATE template0;
\connect :"role"
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO :"owner";
GRANT USAGE ON SCHEMA public TO :"role";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"role";
