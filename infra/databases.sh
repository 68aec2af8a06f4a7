#!/bin/sh
# Makes the roles and databases of Prefect and MLflow, each its own; run again, it only sets the passwords anew.
# As PostgreSQL's superuser, with PREFECT_DATABASE_PASSWORD and MLFLOW_DATABASE_PASSWORD in the environment. The container
# runs it by itself the first time. psql reads the passwords itself: they are on no command line and in no server log.
set -eu
: "${PREFECT_DATABASE_PASSWORD:?set it in var/team.env}" "${MLFLOW_DATABASE_PASSWORD:?set it in var/team.env}"
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET password_encryption = 'scram-sha-256';
\getenv prefect PREFECT_DATABASE_PASSWORD
\getenv mlflow MLFLOW_DATABASE_PASSWORD
SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest(ARRAY['prefect', 'mlflow']) AS name
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE prefect PASSWORD :'prefect';
ALTER ROLE mlflow PASSWORD :'mlflow';
SELECT format('CREATE DATABASE %I OWNER %I', name, name) FROM unnest(ARRAY['prefect', 'mlflow']) AS name
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
REVOKE ALL ON DATABASE prefect, mlflow FROM PUBLIC;
SQL
