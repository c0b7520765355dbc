#!/bin/sh
# The supervisor is the first process: it reaps children, hands SIGTERM on and starts LocalStack again on SIGUSR1.
exec localstack-supervisor "$@"
