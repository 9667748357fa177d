// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {execa} from 'execa';

export interface KeyOptions {
    readonly name?: string;
    /** A key, and signatures, of years ago that is no longer valid. */
    readonly expired?: boolean;
    /** Signs with SHA-1, which nobody should accept. */
    readonly sha1?: boolean;
}

/** A signing key that exists only as long as it is not disposed of. */
export interface SigningKey extends AsyncDisposable {
    readonly fingerprint: string;
    /** The public key as `import-pubring.gpg` holds it (binary) or `import-pubring.pgp` may (armoured). */
    exportKeyring(form: 'binary' | 'armoured'): Promise<Buffer>;
    /** A detached signature of these bytes. */
    sign(data: string | Buffer, form: 'binary' | 'armoured'): Promise<Buffer>;
    dispose(): Promise<void>;
}

const longAgo = ['--faked-system-time', '20200101T000000!'];

/** Makes an OpenPGP key with gpg in a home of its own, in about 0.1 s. */
export async function makeKey(options: KeyOptions = {}): Promise<SigningKey> {
    const {name = 'Snow Lab <lab@example.org>', expired = false, sha1 = false} = options;
    // gpg-agent's socket is in it, whose path must be short
    const home = await mkdtemp(join(tmpdir(), 'gpg-'));
    const gpg = async (args: readonly string[], input?: string | Buffer): Promise<Buffer> => {
        const when = expired ? longAgo : [];
        const common = ['--homedir', home, '--batch', '--quiet', '--no-tty', '--passphrase', ''];
        const run = () =>
            execa('gpg', [...common, '--pinentry-mode', 'loopback', ...when, ...args], {
                encoding: 'buffer',
                stripFinalNewline: false,
                ...(input === undefined ? {stdin: 'ignore'} : {input}),
            });
        // Its agent has been seen to leave before or while it is asked; the next one gets a new agent.
        const {stdout} = await run().catch((error: unknown) => {
            if (!/from 'gpg-agent'|Connection reset by peer/.test(String(error))) throw error;
            return run();
        });
        return Buffer.from(stdout);
    };
    const algorithm = sha1 ? 'rsa2048' : 'ed25519';
    await gpg(['--quick-generate-key', name, algorithm, 'sign', expired ? '1d' : 'never']);
    const listing = (await gpg(['--list-keys', '--with-colons'])).toString();
    const fingerprint = /^fpr:+([0-9A-F]+):/m.exec(listing)?.[1] ?? '';
    const armour = (form: 'binary' | 'armoured') => (form === 'armoured' ? ['--armor'] : []);
    const dispose = async () => {
        await execa('gpgconf', ['--homedir', home, '--kill', 'gpg-agent'], {reject: false});
        // The agent takes its sockets away meanwhile.
        await rm(home, {recursive: true, force: true, maxRetries: 10, retryDelay: 50});
    };
    return {
        fingerprint,
        exportKeyring: form => gpg([...armour(form), '--export', fingerprint]),
        sign: (data, form) =>
            gpg(
                [
                    ...armour(form),
                    ...(sha1 ? ['--digest-algo', 'SHA1'] : []),
                    '--detach-sign',
                    '--output',
                    '-',
                ],
                typeof data === 'string' ? Buffer.from(data) : data,
            ),
        dispose,
        [Symbol.asyncDispose]: dispose,
    };
}
