// SPDX-License-Identifier: GPL-2.0-or-later
// Where the resources of sysupdate.d(5) may be.

/** Whether it is an http(s) address that file names can be put behind: no query, no fragment. */
export function isAddress(text: string): boolean {
    return (
        /^https?:\/\/[\x21-\x7e]+$/.test(text) &&
        !/[?#\\]/.test(text) &&
        URL.canParse(text) &&
        new URL(text).hostname !== ''
    );
}

/** Whether a path is absolute, without `.`, `..`, empty parts and control characters; a slash at its end is fine. */
export function isNormalised(path: string): boolean {
    // eslint-disable-next-line no-control-regex
    if (!path.startsWith('/') || /[\x00-\x1f\x7f]/.test(path)) return false;
    const parts = path.slice(1).split('/');
    if (parts.at(-1) === '') parts.pop();
    return parts.every(part => part !== '' && part !== '.' && part !== '..' && part.length <= 255);
}

/** A path or address without slashes at its end. */
export function withoutSlash(path: string): string {
    let end = path.length;
    while (end > 1 && path.charAt(end - 1) === '/') end--;
    return path.slice(0, end);
}
