// SPDX-License-Identifier: GPL-2.0-or-later

export const BUS_NAME = 'org.frostyard.Snow1';
export const ROOT = '/org/frostyard/Snow1';
export const JOBS = `${ROOT}/Jobs`;

export function isObjectPath(path: string): boolean {
    return /^(\/|(\/[A-Za-z0-9_]+)+)$/.test(path);
}

/** Paths above a path, nearest first, without itself: /a/b gives /a and /. */
export function pathsAbove(path: string): readonly string[] {
    const above: string[] = [];
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
        above.push(path.slice(0, end));
    return path === '/' ? [] : [...above, '/'];
}

/** The last element of a path, unescaped as sd_bus_path_decode(3) does; null: it is not escaped so. */
export function decodeLastElement(path: string): string | null {
    const element = path.slice(path.lastIndexOf('/') + 1);
    if (element === '_') return '';
    if (!/^([A-Za-z0-9]|_[0-9a-f]{2})+$/.test(element)) return null;
    const bytes = element.replace(/_([0-9a-f]{2})/g, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
    );
    return Buffer.from(bytes, 'latin1').toString('utf8');
}
