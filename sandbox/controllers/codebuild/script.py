"""The shell scripts of a build: the commands of a phase share a shell; phases share variables and the folder.

On AWS all phases share one shell. Here what a phase leaves is written down for the next one; so every variable is
exported (``set -a``), and functions and options of the shell do not go from phase to phase.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

SOURCE = "/codebuild/output/src"
PHASE = "/codebuild/phase.sh"
RUNNING = "[Container] Running command "

_ENVIRONMENT = "/codebuild/env.sh"
_FOLDER = "/codebuild/folder"

# One stream, so that the log has the lines in the order in which they were printed.
_HEAD = f"""\
exec 2>&1
set -a
. {_ENVIRONMENT}
CODEBUILD_BUILD_SUCCEEDING="$1"
cd "$(cat {_FOLDER})" || exit 1
trap 'code=$?; export -p > {_ENVIRONMENT}; pwd > {_FOLDER}; exit $code' EXIT
"""
_COMMAND = """\
printf '%s\\n' {shown}
{command}
code=$?
if [ $code -ne 0 ]; then
printf '%s exit status %s\\n' {failed} $code
exit $code
fi
"""
# The values of variables by their names, a line each.
READ_VARIABLES = f'. {_ENVIRONMENT}; for name in "$@"; do printenv "$name" || echo; done'

# In images that stand for AWS's own: what logs Docker in to ECR. Nobody checks the password.
AWS_SHIM = """\
#!/bin/sh
case "$1 $2" in
"ecr get-login-password") echo sandbox ;;
"--version "*) echo "aws-cli/2 (the sandbox's: it knows ecr get-login-password alone)" ;;
*) echo "aws $*: the sandbox's build image has no AWS CLI; name one in the project that has" >&2; exit 252 ;;
esac
"""


def files(variables: Mapping[str, str]) -> dict[str, bytes]:
    """What phases find: the environment and the folder in which the first one begins."""
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    return {_ENVIRONMENT.lstrip("/"): exports.encode(), _FOLDER.lstrip("/"): f"{SOURCE}\n".encode()}


def phase(commands: Sequence[str]) -> str:
    """The script that runs commands one after the other until one fails."""
    return _HEAD + "".join(
        _COMMAND.format(
            shown=shlex.quote(RUNNING + command.strip()),
            command=command,
            failed=shlex.quote(f"[Container] Command did not exit successfully {command.strip()}"),
        )
        for command in commands
    )
