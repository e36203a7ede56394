#!/bin/sh
# Makes a bare clone ready for the commands of package.json: the npm packages, Node.js 26 among them. What a cluster
# needs (Debian packages, programs, images) is seen to by devcluster and image themselves when they are used.
set -eu
cd "$(dirname "$0")/.."

installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ -n "$(find package-lock.json -newer "$installed")" ]; then
  echo 'Installing the npm packages, about half a minute'
  # Not “npm ci”: it insists on lock entries for the packages of every other platform, which npm leaves out where a
  # registry does not offer them. This installs what the lock says as well, and never writes it.
  # The npm that runs this may belong to an older Node.js; warnings about engines would only confuse.
  if ! npm install --no-save --no-audit --no-fund --loglevel=error >/dev/null; then
    echo 'The npm packages could not be installed; see what npm says above, and start again.' >&2
    exit 1
  fi
  # npm leaves this file alone when there was nothing to do.
  touch "$installed"
fi

version=$(node_modules/.bin/node --version 2>/dev/null || node --version 2>/dev/null || echo none)
major=${version#v}
major=${major%%.*}
case $major in
  '' | *[!0-9]*) major=0 ;;
esac
if [ "$major" -lt 26 ]; then
  echo "Node.js 26 or newer is needed and npm brings none for this machine ($(uname -sm)); install it from https://nodejs.org." >&2
  exit 1
fi
