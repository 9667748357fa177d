// SPDX-License-Identifier: GPL-2.0-or-later
// The os-release(5) that a unified kernel image carries in its section `.osrel`: a PE file, as the
// UAPI.5 specification of such images and the PE format describe it.

import type {Host} from '../../host/host.ts';
import {type Release, parseRelease} from '../../host/os-release.ts';

/** Bytes in which the tables of a PE file must be. */
const HEADERS = 64 * 1024;
/** Bytes of a file in which the section must be. */
const MAX_END = 256 * 1024 * 1024;
/** Bytes of an os-release. */
const MAX_RELEASE = 64 * 1024;
const SECTION_HEADER = 40;
const MAX_SECTIONS = 96;

interface Section {
    /** Bytes from the start of the file. */
    readonly offset: number;
    readonly size: number;
}

/** Null: no such file, or it carries none. */
export async function readUkiRelease({files}: Host, path: string): Promise<Release | null> {
    const start = await files.readStart(path, HEADERS);
    const section = start && findSection(start, '.osrel');
    if (!section || section.size > MAX_RELEASE) return null;
    const end = section.offset + section.size;
    if (end > MAX_END) return null;
    const content = end <= start.length ? start : await files.readStart(path, end);
    if (!content || content.length < end) return null;
    const text = content.subarray(section.offset, end).toString('utf8').replace(/\0+$/, '');
    const release = parseRelease(text);
    return Object.keys(release).length > 0 ? release : null;
}

/**
 * Where the content of a section is, by the first bytes of a PE file. Null: there is none of that
 * name, it has no content, or the file is none.
 */
export function findSection(start: Buffer, name: string): Section | null {
    if (start.length < 0x40 || start.toString('latin1', 0, 2) !== 'MZ') return null;
    const pe = start.readUInt32LE(0x3c);
    const COFF_HEADER = 24;
    if (pe + COFF_HEADER > start.length) return null;
    if (start.toString('latin1', pe, pe + 4) !== 'PE\0\0') return null;
    const count = start.readUInt16LE(pe + 6);
    const table = pe + COFF_HEADER + start.readUInt16LE(pe + 20);
    if (count > MAX_SECTIONS || table + count * SECTION_HEADER > start.length) return null;
    for (let at = table; at < table + count * SECTION_HEADER; at += SECTION_HEADER) {
        if (start.toString('latin1', at, at + 8).replace(/\0+$/, '') !== name) continue;
        const sizeInMemory = start.readUInt32LE(at + 8);
        const sizeInFile = start.readUInt32LE(at + 16);
        // What is in the file is rounded up, what is in memory beyond it is zeros.
        const size = sizeInMemory === 0 ? sizeInFile : Math.min(sizeInMemory, sizeInFile);
        return size === 0 ? null : {offset: start.readUInt32LE(at + 20), size};
    }
    return null;
}
