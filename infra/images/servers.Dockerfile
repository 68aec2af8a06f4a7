# Prefect's and MLflow's servers, at the versions of constraints.txt. Built from the project's folder by infra/compose.yaml.
FROM python:3.11.7-slim-bookworm
WORKDIR /kindex
COPY constraints.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check -c constraints.txt prefect mlflow psycopg2-binary boto3
COPY infra/start.sh infra/healthy.py infra/
RUN useradd --create-home --uid 1000 kindex
USER kindex
CMD ["sh", "infra/start.sh", "prefect"]
