# Written by nb-dagster for the runtime all. Change nb_dagster.yaml rather than this file.
# It has no init process: run it with `docker run --init`, as nb_dagster does, or with `init: true` in Compose.
FROM registry.example.com:5000/data/base:2026.1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
USER root
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility

RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
    git \
    libgomp1=12.2.0-14 \
    r-cran-irkernel \
 && rm -rf /var/lib/apt/lists/*

RUN echo ada:x:1500:100::/home/ada:/bin/sh >> /etc/passwd \
 && echo ada:x:100: >> /etc/group \
 && mkdir -p /home/ada /app \
 && chown 1500:100 /home/ada /app
WORKDIR /app

ENV PIP_INDEX_URL="https://pypi.example.com/simple"
ENV PIP_BREAK_SYSTEM_PACKAGES=1 UV_BREAK_SYSTEM_PACKAGES=1

COPY requirements/train.txt requirements/common.txt ./requirements/
COPY constraints.txt ./
RUN python -m pip install --no-cache-dir -r requirements/train.txt \
    ipykernel \
    bash_kernel \
    jupyter-client
RUN python -m bash_kernel.install --sys-prefix

ENV OMP_NUM_THREADS="4"
ENV MOTTO="say \"\$HOME\" \\ twice"

COPY --chown=1500:100 . .
ENV HOME=/home/ada
USER 1500:100
