# Written by nb-dagster for the runtime plain. Change nb_dagster.yaml rather than this file.
# It has no init process: run it with `docker run --init`, as nb_dagster does, or with `init: true` in Compose.
FROM python:3.12-slim

RUN echo nb:x:1000:1000::/home/nb:/bin/sh >> /etc/passwd \
 && echo nb:x:1000: >> /etc/group \
 && mkdir -p /home/nb /app \
 && chown 1000:1000 /home/nb /app
WORKDIR /app

RUN python -m pip install --no-cache-dir uv

RUN uv pip install --system --no-cache --compile-bytecode \
    ipykernel \
    'pandas<3,>=2.1' \
    'tomli>=2; python_version < "3.11"'

COPY --chown=1000:1000 . .
ENV HOME=/home/nb
USER 1000:1000
