# The program in an image, for `make image`, which builds `dist/` first. One base serves both stages: its
# own Node compiles the program, so the compiled code holds for the Node that will run it.
ARG BASE=gcr.io/distroless/nodejs24-debian13:nonroot@sha256:9eeb7f5887d0e239e78264b06f7f11d2e14be534050481803a9e4728fcdd278e

FROM ${BASE} AS compiled
USER 0
COPY dist /opt/lockstep
COPY bundle /bundle
# No shell in here: all commands are in the exec form.
RUN ["/nodejs/bin/node", "/bundle/rehearse.ts", "/opt/lockstep"]
RUN ["/nodejs/bin/node", "-e", "fs.mkdirSync('/sql')"]

FROM ${BASE} AS program
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="lockstep" \
      org.opencontainers.image.description="Raw SQL migrations for PostgreSQL, in lockstep with a rollout on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=compiled --chmod=0755 /opt/lockstep /opt/lockstep
# An empty folder: files are mounted here, or COPYed by an image that begins with this one.
COPY --from=compiled --chmod=0755 /sql /sql
# LOCKSTEP_DIR is `sql` where nothing is said, seen from here.
WORKDIR /
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "/opt/lockstep/lockstep.mjs"]

# With the worked example, to try it and for tests: --target example
FROM program AS example
COPY --chmod=0755 sql /sql

# What is published.
FROM program AS lockstep
