// SPDX-License-Identifier: GPL-2.0-or-later
import type {Host} from './host.ts';

/** The fields of an os-release(5) or extension-release file. */
export type Release = Readonly<Record<string, string>>;

/** Names of uname(2) as ConditionArchitecture= of systemd.unit(5) writes them. */
const architectures: Readonly<Record<string, string>> = {
    x64: 'x86-64',
    ia32: 'x86',
    arm64: 'arm64',
    arm: 'arm',
    riscv64: 'riscv64',
    ppc64: 'ppc64-le',
    s390x: 's390x',
    loong64: 'loongarch64',
};

/** The architecture of this machine; empty when it is not known. */
export const machineArchitecture: string = architectures[process.arch] ?? '';

/** os-release(5) of the running system, or of the offline tree. */
export async function readOsRelease(host: Host): Promise<Release> {
    const text =
        (await host.files.readText('/etc/os-release')) ??
        (await host.files.readText('/usr/lib/os-release')) ??
        '';
    return parseRelease(text);
}

/** Lines of NAME=value, with or without quotes. */
export function parseRelease(text: string): Release {
    const found: Record<string, string> = {};
    for (const line of text.split('\n')) {
        const match = /^\s*([A-Z][A-Z0-9_]*)=(.*?)\s*$/.exec(line);
        if (!match) continue;
        const [, name = '', value = ''] = match;
        found[name] = unquote(value);
    }
    return found;
}

function unquote(value: string): string {
    const quoted = /^(["'])(.*)\1$/.exec(value);
    return (quoted?.[2] ?? value).replace(/\\(["'$`\\])/g, '$1');
}
