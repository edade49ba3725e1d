# The receiver. Built in one stage, run in another; not root; nothing is written but /data and /tmp.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock ./
# pip compiles what it installs, so that a read-only image starts as fast as any other
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary=:all: -r requirements.lock \
 && /venv/bin/pip check
COPY pyproject.toml requirements.in README.md ./
COPY migrations migrations
COPY receiver receiver
# nothing is installed after this: the tools for it stay behind
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /venv/bin/pip uninstall --yes setuptools pip

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 receiver \
 && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /nonexistent \
      --shell /usr/sbin/nologin receiver \
 && install -d -o 10001 -g 10001 -m 0750 /data
COPY --from=build /venv /venv
WORKDIR /app
COPY wsgi.py gunicorn.conf.py ./
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RECEIVER_DATABASE_URL=sqlite:////data/receiver.sqlite
# by number, so that a cluster can see that it is not root
USER 10001:10001
EXPOSE 8000
# http.client asks the process itself; urllib would ask a proxy that the environment names
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('RECEIVER_PORT', '8000')), timeout=4); c.request('GET', '/health/live'); sys.exit(c.getresponse().status != 200)"]
# the worker is the second command: receiver worker
CMD ["gunicorn", "wsgi:app"]
