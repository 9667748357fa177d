#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A stand-in for snow's /usr/libexec/snosi-sysupdate-stage: takes no arguments, asks the real
# systemd-sysupdate, has it install what is newer, and writes the same two files.
set -euo pipefail
. /etc/os-release
mkdir -p /run/snosi
newest=''
note() {
    printf 'outcome=%s\nchecked_at=%s\nimage=%s-ab\nrunning_version=%s\nremote_version=%s\n' \
        "$1" "$(date --iso-8601=seconds)" "$IMAGE_ID" "$IMAGE_VERSION" "$newest" >/run/snosi/update-check
}
trap '[[ $? -eq 0 ]] || note failed' EXIT
sysupdate=/usr/lib/systemd/systemd-sysupdate
if ! newest=$("$sysupdate" check-new | tail -n1); then
    "$sysupdate" list >/dev/null
    echo 'No newer version available.'
    if [[ -s /run/snosi/update-staged ]]; then note staged; else note current; fi
    exit 0
fi
echo "Staging update: $newest"
"$sysupdate" update "$newest"
compgen -G "/boot/EFI/Linux/$IMAGE_ID-ab_$newest+*.efi" >/dev/null
printf 'image=%s-ab\nversion=%s\nstaged_at=%s\n' \
    "$IMAGE_ID" "$newest" "$(date --iso-8601=seconds)" >/run/snosi/update-staged
note staged
echo 'Update staged; it will apply at the next reboot.'
