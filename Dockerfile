# The gateway in a container: docs/deploy.md, "In a container or on a VM instead". Build with: docker build -t haimaker .
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE MANIFEST.in ./
COPY shared/requirements.txt shared/
COPY shared/haimaker shared/haimaker
COPY local local
ARG EXTRAS
RUN python -m venv /opt/haimaker && /opt/haimaker/bin/pip install --no-cache-dir ".[${EXTRAS:-sign-in}]"

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data haimaker
COPY --from=build /opt/haimaker /opt/haimaker
ENV PATH=/opt/haimaker/bin:$PATH PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=8000 WORKERS=auto HAIMAKER_HOME=/data
USER haimaker
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["haimaker", "health"]
CMD ["haimaker"]
