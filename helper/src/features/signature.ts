// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';

/** Where systemd looks for the keys of images; all of them count, not only the first. */
export const keyringPaths: readonly string[] = ['/etc/systemd', '/usr/lib/systemd'].flatMap(
    directory => ['pgp', 'gpg'].map(suffix => `${directory}/import-pubring.${suffix}`),
);

/** RFC 9580, section 9.5: MD5, SHA-1 and RIPEMD-160 can be forged. */
const WEAK_DIGESTS = new Set(['1', '2', '3']);

/**
 * Checks a detached signature (binary or armoured): one good signature of a trusted, unexpired key
 * is enough, so that keys can be changed. gpgv(1) or sqv(1) does the work.
 * Throws SnowError VerificationFailed with the reason; name is what the error calls the signed file.
 */
export async function verifySignature(
    host: Host,
    name: string,
    content: Uint8Array,
    signature: Uint8Array,
    signal?: AbortSignal,
): Promise<void> {
    const keys = await readKeyrings(host);
    if (keys.length === 0) {
        throw new SnowError(
            'VerificationFailed',
            `${name} cannot be verified: there is no key in ${keyringPaths[0]}`,
        );
    }
    const useGpgv = await host.programs.isInstalled('gpgv');
    if (!useGpgv && !(await host.programs.isInstalled('sqv')))
        throw new SnowError('NotSupported', 'Neither gpgv nor sqv is installed');

    await using scratch = await host.files.createScratch();
    const keyrings = await Promise.all(
        keys.map((ring, index) => scratch.write(`keyring-${index}.gpg`, ring)),
    );
    const [signed, detached] = await Promise.all([
        scratch.write('content', content),
        scratch.write('signature', signature),
    ]);
    const files = {keyrings, signed, detached};
    const reason = useGpgv ? await askGpgv(host, files, signal) : await askSqv(host, files, signal);
    if (reason !== null)
        throw new SnowError('VerificationFailed', `${name} is not trusted: ${reason}`);
}

interface SignedFiles {
    readonly keyrings: readonly string[];
    readonly signed: string;
    readonly detached: string;
}

async function askGpgv(
    host: Host,
    {keyrings, signed, detached}: SignedFiles,
    signal: AbortSignal | undefined,
): Promise<string | null> {
    const {stdout} = await host.programs.run(
        [
            'gpgv',
            '--homedir=/nonexistent',
            '--status-fd=1',
            ...keyrings.map(path => `--keyring=${path}`),
            '--',
            detached,
            signed,
        ],
        signal ? {signal} : {},
    );
    return signatureProblem(stdout);
}

/** Unlike gpgv, sqv takes what a key signed before it expired. */
async function askSqv(
    host: Host,
    {keyrings, signed, detached}: SignedFiles,
    signal: AbortSignal | undefined,
): Promise<string | null> {
    const {exitCode, stderr} = await host.programs.run(
        ['sqv', ...keyrings.map(path => `--keyring=${path}`), detached, signed],
        signal ? {signal} : {},
    );
    if (exitCode === 0) return null;
    return stderr.trim().split('\n')[0] || 'it has no good signature';
}

/**
 * Reads what gpgv writes to its status descriptor (doc/DETAILS of GnuPG).
 * Returns null when one signature counts, else why none does.
 */
export function signatureProblem(status: string): string | null {
    let reason = 'it has no signature';
    for (const group of status.split(/^\[GNUPG:\] NEWSIG.*$/m)) {
        const found = new Map<string, readonly string[]>();
        for (const line of group.split('\n')) {
            const [mark, keyword, ...values] = line.trim().split(' ');
            if (mark === '[GNUPG:]' && keyword !== undefined) found.set(keyword, values);
        }
        if (found.size === 0) continue;
        const problem = oneSignatureProblem(found);
        if (problem === null) return null;
        reason = problem;
    }
    return reason;
}

function oneSignatureProblem(found: ReadonlyMap<string, readonly string[]>): string | null {
    const key = (keyword: string): string => found.get(keyword)?.[0] ?? '';
    if (found.has('BADSIG')) return 'the signature does not match';
    if (found.has('REVKEYSIG')) return `the key ${key('REVKEYSIG')} is revoked`;
    if (found.has('EXPKEYSIG')) return `the key ${key('EXPKEYSIG')} has expired`;
    if (found.has('EXPSIG')) return 'the signature has expired';
    if (found.has('NO_PUBKEY')) return `it is signed by the unknown key ${key('NO_PUBKEY')}`;
    // VALIDSIG fingerprint date timestamp expiry version reserved algorithm digest class primary
    const digest = found.get('VALIDSIG')?.[7];
    if (digest !== undefined && WEAK_DIGESTS.has(digest))
        return 'the signature uses a digest that can be forged';
    if (found.has('GOODSIG') && digest !== undefined) return null;
    if (found.has('NODATA') || found.has('UNEXPECTED')) return 'the signature is malformed';
    return 'it has no good signature';
}

async function readKeyrings(host: Host): Promise<readonly Uint8Array[]> {
    const found = await Promise.all(keyringPaths.map(path => host.files.readBytes(path)));
    return found
        .filter(content => content !== null)
        .map(content => (isArmoured(content) ? dearmour(content) : content))
        .filter(content => content.length > 0);
}

const ARMOUR = /-----BEGIN PGP PUBLIC KEY BLOCK-----([^]*?)-----END PGP PUBLIC KEY BLOCK-----/g;

function isArmoured(content: Buffer): boolean {
    return content.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----');
}

/** RFC 9580, section 6.2: headers, an empty line, base64, and a checksum that starts with `=`. */
function dearmour(content: Buffer): Buffer {
    const blocks = [...content.toString('latin1').matchAll(ARMOUR)].map(([, block = '']) => {
        const lines = block.split(/\r?\n/).map(line => line.trim());
        const body = lines.slice(lines.findIndex((line, index) => index > 0 && line === '') + 1);
        return Buffer.from(body.filter(line => !line.startsWith('=')).join(''), 'base64');
    });
    return Buffer.concat(blocks);
}
