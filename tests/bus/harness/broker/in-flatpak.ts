// SPDX-License-Identifier: GPL-2.0-or-later
import {type Running, startProgram} from '../processes.ts';

/** Runs a command in a root directory that has the file which Flatpak puts into one. */
export function startInFlatpak(application: string, command: readonly string[]): Running {
    const script = `set -e
root=$(mktemp -d)
mount -t tmpfs tmpfs "$root"
for name in usr etc proc dev tmp; do mkdir "$root/$name"; mount --rbind "/$name" "$root/$name"; done
for name in bin lib lib64 sbin; do ln -s "usr/$name" "$root/$name"; done
printf '[Application]\\nname=%s\\n' "$1" >"$root/.flatpak-info"
shift
exec chroot "$root" "$@"`;
    return startProgram([
        'unshare',
        '-m',
        '--propagation',
        'private',
        'sh',
        '-c',
        script,
        'sh',
        application,
        ...command,
    ]);
}
