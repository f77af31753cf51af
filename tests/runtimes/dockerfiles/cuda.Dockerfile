# Written by nb-dagster for the runtime cuda. Change nb_dagster.yaml rather than this file.
# It has no init process: run it with `docker run --init`, as nb_dagster does, or with `init: true` in Compose.
FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04

RUN echo nb:x:1000:1000::/home/nb:/bin/sh >> /etc/passwd \
 && echo nb:x:1000: >> /etc/group \
 && mkdir -p /home/nb /app \
 && chown 1000:1000 /home/nb /app
WORKDIR /app

COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /usr/local/bin/uv
ENV UV_PYTHON_INSTALL_DIR=/opt/python VIRTUAL_ENV=/opt/venv PATH="/opt/venv/bin:$PATH"
RUN uv venv --python 3.11 /opt/venv

RUN uv pip install --no-cache --compile-bytecode \
    ipykernel \
    torch==2.5.1

COPY --chown=1000:1000 . .
ENV HOME=/home/nb
USER 1000:1000
