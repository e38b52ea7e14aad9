#!/usr/bin/env bash
# Prints the name of a release: its version, and a digest of its files and of the Python that runs it.
#
#   deploy/release_name.sh FOLDER PYTHON       FOLDER has edge and all else; PYTHON is as cpython-311
set -euo pipefail

folder=$1
python=$2

version=$(cd "$folder" && python3 -B -c 'from edge.version import version; print(version())')
digest=$(
    {
        echo "$python"
        cd "$folder"
        find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    } | sha256sum | cut -c -8
)
echo "$version-$digest"
