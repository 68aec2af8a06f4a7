# What runs nights: all that constraints.txt pins. The project itself, with its code, is mounted on /project, where the
# installation below points; so `dvc.yaml` watches the code that runs. Built from the project's folder by infra/compose.yaml.
FROM python:3.11.7-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
WORKDIR /project
COPY constraints.txt ./
# torch first and pinned: resolved together with the rest, a range of somebody else's could bring its CUDA build
RUN pip install --no-cache-dir --disable-pip-version-check -c constraints.txt torch==2.13.0
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY flows flows
COPY tasks tasks
RUN pip install --no-cache-dir --disable-pip-version-check -c constraints.txt -e '.[team]'
CMD ["sh", "infra/start.sh", "worker"]
