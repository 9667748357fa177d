// SPDX-License-Identifier: GPL-2.0-or-later
// Archives as no tar program makes them: pax(5) headers with whatever is in the entries.

export interface TarEntry {
    readonly name: string;
    readonly content?: string | Buffer;
    /** 1: hard link, 2: symbolic link, 4: block device, 5: directory; a file otherwise. */
    readonly type?: '1' | '2' | '4' | '5';
    readonly link?: string;
    readonly mode?: number;
    readonly uid?: number;
    readonly gid?: number;
    readonly device?: readonly [major: number, minor: number];
    readonly xattrs?: Readonly<Record<string, Buffer>>;
    /** In place of all that. */
    readonly raw?: Buffer;
}

const BLOCK = 512;

export function makeTar(entries: readonly TarEntry[]): Buffer {
    return Buffer.concat([...entries.flatMap(blocksOf), Buffer.alloc(2 * BLOCK)]);
}

function blocksOf(entry: TarEntry): readonly Buffer[] {
    if (entry.raw) return [entry.raw];
    const content = Buffer.from(entry.content ?? '');
    const extended = Object.entries(entry.xattrs ?? {}).map(([key, value]) =>
        record(`SCHILY.xattr.${key}`, value),
    );
    const pax = Buffer.concat(extended);
    return [
        ...(pax.length === 0 ? [] : [header({name: 'pax'}, 'x', pax.length), padded(pax)]),
        header(entry, entry.type ?? '0', content.length),
        padded(content),
    ];
}

/** Its length counts itself. */
function record(key: string, value: Buffer): Buffer {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
    let length = rest.length;
    while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
    return Buffer.concat([Buffer.from(`${length}`), rest]);
}

function header(entry: TarEntry, type: string, size: number): Buffer {
    const block = Buffer.alloc(BLOCK);
    const number = (value: number, offset: number, width: number): void =>
        void block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, offset);
    block.write(entry.name, 0, 100);
    number(entry.mode ?? (type === '5' ? 0o755 : 0o644), 100, 8);
    number(entry.uid ?? 0, 108, 8);
    number(entry.gid ?? 0, 116, 8);
    number(size, 124, 12);
    number(1_767_225_600, 136, 12);
    block.write(' '.repeat(8), 148);
    block.write(type, 156);
    block.write(entry.link ?? '', 157, 100);
    block.write('ustar\x0000', 257);
    number(entry.device?.[0] ?? 0, 329, 8);
    number(entry.device?.[1] ?? 0, 337, 8);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return block;
}

function padded(content: Buffer): Buffer {
    return Buffer.concat([content, Buffer.alloc(-content.length & (BLOCK - 1))]);
}
