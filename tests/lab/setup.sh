#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs what the lab needs on Debian bookworm or trixie. Quick when it is all there.
set -eu
cd "$(dirname "$0")/../.."

fail() {
    echo "setup: $1" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || fail "must be run as root"
command -v node >/dev/null || fail "Node.js 20.19 or newer is missing"
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node.js $(node --version) is older than 20.19"

missing=
for package in mmdebstrap systemd-container dbus polkitd util-linux zstd xz-utils bzip2 openssl gpg gpg-agent gpgv sqv \
    squashfs-tools erofs-utils curl libglib2.0-bin libglib2.0-dev-bin debian-archive-keyring procps uidmap; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
if [ -n "$missing" ]; then
    echo "setup: installing$missing" >&2
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
fi

[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund >&2
