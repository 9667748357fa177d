// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';

import {signatureProblem, verifySignature} from '../../../helper/src/features/signature.ts';
import type {Host} from '../../../helper/src/host/host.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import {writeTree} from '../../lab/definitions.ts';
import {type SigningKey, makeKey} from '../../lab/signing.ts';

const CONTENT = Buffer.from('what is signed\n');

let key: SigningKey;
let other: SigningKey;
let expired: SigningKey;
let root: string;
let host: Host;

beforeAll(async () => {
    [key, other, expired] = await Promise.all([makeKey(), makeKey(), makeKey({expired: true})]);
});
afterAll(() => Promise.all([key, other, expired].map(each => each.dispose())));

beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'snow-signature-'));
    host = localHost(root);
});
afterEach(() => rm(root, {recursive: true, force: true}));

const verify = (signature: Uint8Array, content = CONTENT, on = host) =>
    verifySignature(on, 'SHA256SUMS', content, signature);

describe.each(['gpgv', 'sqv'])('with %s', program => {
    beforeEach(() => {
        const isInstalled = (name: string) => Promise.resolve(name === program);
        host = {...localHost(root), programs: {...localHost(root).programs, isInstalled}};
    });

    it.each(['binary', 'armoured'] as const)('a %s signature counts', async form => {
        await writeTree(root, {
            '/etc/systemd/import-pubring.gpg': await key.exportKeyring('binary'),
        });
        await verify(await key.sign(CONTENT, form));
    });

    it.each([
        '/etc/systemd/import-pubring.pgp',
        '/etc/systemd/import-pubring.gpg',
        '/usr/lib/systemd/import-pubring.pgp',
        '/usr/lib/systemd/import-pubring.gpg',
    ])('a key in %s is trusted beside those of another keyring, armoured or not', async path => {
        await writeTree(root, {
            '/usr/lib/systemd/import-pubring.gpg': await other.exportKeyring('binary'),
            '/etc/systemd/import-pubring.gpg': await other.exportKeyring('binary'),
        });
        for (const form of ['binary', 'armoured'] as const) {
            await writeTree(root, {[path]: await key.exportKeyring(form)});
            await verify(await key.sign(CONTENT, 'binary'));
        }
    });

    it('one good signature is enough, whatever the others are', async () => {
        await writeTree(root, {
            '/etc/systemd/import-pubring.gpg': Buffer.concat([
                await key.exportKeyring('binary'),
                await expired.exportKeyring('binary'),
            ]),
        });
        const [good, stranger, old] = await Promise.all(
            [key, other, expired].map(each => each.sign(CONTENT, 'binary')),
        );
        await verify(Buffer.concat([stranger ?? '', old ?? '', good ?? ''] as Buffer[]));
        await verify(Buffer.concat([good ?? '', stranger ?? ''] as Buffer[]));
    });

    it('a stranger, an expired key, another content and rubbish do not count', async () => {
        await writeTree(root, {
            '/etc/systemd/import-pubring.gpg': Buffer.concat([
                await key.exportKeyring('binary'),
                await expired.exportKeyring('binary'),
            ]),
        });
        const refused = {code: 'VerificationFailed'};
        await expect(verify(await other.sign(CONTENT, 'binary'))).rejects.toMatchObject(refused);
        // sqv judges a key by the day of the signature, when it was still valid.
        if (program === 'gpgv')
            await expect(verify(await expired.sign(CONTENT, 'binary'))).rejects.toMatchObject(
                refused,
            );
        await expect(verify(await key.sign('another', 'binary'))).rejects.toMatchObject(refused);
        await expect(verify(Buffer.from('rubbish'))).rejects.toMatchObject(refused);
        await expect(verify(Buffer.alloc(0))).rejects.toMatchObject(refused);
    });
});

it('says which program is missing', async () => {
    await writeTree(root, {'/etc/systemd/import-pubring.gpg': await key.exportKeyring('binary')});
    const programs = {...host.programs, isInstalled: () => Promise.resolve(false)};
    await expect(
        verify(await key.sign(CONTENT, 'binary'), CONTENT, {...host, programs}),
    ).rejects.toMatchObject({code: 'NotSupported'});
});

describe('what gpgv says', () => {
    const valid = (digest: number) =>
        `[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 1234 Somebody\n[GNUPG:] VALIDSIG ABCD 2026-01-01 1 0 4 0 22 ${digest} 00 ABCD\n`;

    it('counts with a digest that holds, and not with MD5, SHA-1 or RIPEMD-160', () => {
        expect(signatureProblem(valid(10))).toBeNull();
        for (const digest of [1, 2, 3]) expect(signatureProblem(valid(digest))).toMatch(/forged/);
        expect(signatureProblem(valid(2) + valid(8))).toBeNull();
    });

    it('does not count when the key is revoked, though the signature is valid', () => {
        const revoked = valid(8).replace('GOODSIG', 'REVKEYSIG');
        expect(signatureProblem(revoked)).toMatch(/revoked/);
    });

    it('is not fooled by a user id that looks like a status line', () => {
        const status = '[GNUPG:] NEWSIG\n[GNUPG:] BADSIG 1234 x [GNUPG:] GOODSIG 1234 x\n';
        expect(signatureProblem(status)).toMatch(/does not match/);
    });

    it('of nothing is no signature', () => {
        expect(signatureProblem('')).toMatch(/no signature/);
    });
});
