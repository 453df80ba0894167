# Two images: `server` without any actions, to build your own on, and, last and so by default, the clinic.
# docs/howto/deploy-with-docker.md says how to use both.

ARG PYTHON_VERSION=3.11


# Installs into a virtual environment. Compilers that a package may bring in stay in this stage.
FROM python:${PYTHON_VERSION}-slim AS build

# Extras of pyproject.toml to install, separated by commas; empty for none. docs/howto/deploy-with-docker.md lists them.
ARG EXTRAS=clinic,jwt,postgres

# Made under the path it is used from: a virtual environment cannot be moved.
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

WORKDIR /src
# README.md and LICENSE are part of the package's metadata; without them it does not build.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY action_server/ action_server/
# What `action-server help` prints.
COPY docs/ docs/
# constraints.txt holds the versions that the tests have seen.
RUN pip install --no-cache-dir --constraint constraints.txt ".${EXTRAS:+[$EXTRAS]}" \
    # OpenShift runs the image as a user id of its own choice, always in group 0: what 1001 may write, group 0 may.
    && chmod -R g=u /opt/venv


FROM python:${PYTHON_VERSION}-slim AS server

LABEL org.opencontainers.image.title="action-server" \
      org.opencontainers.image.description="A drop-in custom action server for Rasa assistants" \
      org.opencontainers.image.licenses="Apache-2.0"

# The directories exist before anything is copied into them: COPY would make them writable for root alone.
RUN install -d -o 1001 -g 0 -m 775 /opt/venv /app /app/data

# The venv belongs to 1001, so that a derived image can `pip install` without changing the user.
COPY --from=build --chown=1001:0 /opt/venv/ /opt/venv/

WORKDIR /app
COPY --chown=1001:0 constraints.txt ./

# XDG_DATA_HOME holds the clinic's SQLite file: mount a volume at /app/data to keep it. It is not declared as a VOLUME,
# which would leave a nameless volume behind for each container of those who have their data elsewhere.
# PYTHONDONTWRITEBYTECODE keeps __pycache__ out of mounted source; installed packages were compiled by pip.
# PYTHONUNBUFFERED shows what an action prints at once.
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/app \
    XDG_DATA_HOME=/app/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# A number, as Kubernetes cannot tell whether a name is root (runAsNonRoot).
USER 1001:0

EXPOSE 5055

# Python, as the slim image has no curl; without the proxy that the environment may name, as this is our own address.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ.get('ACTION_SERVER__PORT', '5055') + '/health', timeout=4)"]

ENTRYPOINT ["python", "-m", "action_server"]
CMD ["start", "--actions", "actions"]


# A stage of its own: whoever copies actions over the clinic's would serve the clinic's as well.
FROM server AS clinic

COPY --chown=1001:0 endpoints.yml ./
COPY --chown=1001:0 actions/ actions/
