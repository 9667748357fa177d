// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import type {Coprocess, Host, Scratch} from '../host/host.ts';

/** Where systemd looks for the keys of images; all of them count, not only the first. */
export const keyringPaths: readonly string[] = ['/etc/systemd', '/usr/lib/systemd'].flatMap(
    directory => ['pgp', 'gpg'].map(suffix => `${directory}/import-pubring.${suffix}`),
);

/** RFC 9580, section 9.5: MD5, SHA-1 and RIPEMD-160 can be forged. */
const WEAK_DIGESTS = new Set(['1', '2', '3']);

/** Checks one detached signature, see Signatures. */
export async function verifySignature(
    host: Host,
    name: string,
    content: Uint8Array,
    signature: Uint8Array,
    signal?: AbortSignal,
): Promise<void> {
    await using signatures = new Signatures(host);
    await signatures.verify(name, content, signature, signal);
}

/**
 * Checks detached signatures (binary or armoured): one good signature of a trusted, unexpired key
 * is enough, so that keys can be changed. gpgv(1) or sqv(1) does the work. Made for one operation,
 * since the keyrings are read only once.
 */
export class Signatures implements AsyncDisposable {
    readonly #host: Host;
    #verifier: Promise<Verifier | null> | null = null;

    constructor(host: Host) {
        this.#host = host;
    }

    /** Starts what verifies, for a caller who still waits for what is to be verified. */
    prepare(): void {
        this.#prepared().catch(() => {
            // Whoever has something verified is told.
        });
    }

    /** Throws SnowError VerificationFailed with the reason; name is what the error calls the signed file. */
    async verify(
        name: string,
        content: Uint8Array,
        signature: Uint8Array,
        signal?: AbortSignal,
    ): Promise<void> {
        const verifier = await this.#prepared();
        if (verifier === null) {
            throw new SnowError(
                'VerificationFailed',
                `${name} cannot be verified: there is no key in ${keyringPaths[0]}`,
            );
        }
        const reason = await verifier.findProblem(content, signature, signal);
        if (reason !== null)
            throw new SnowError('VerificationFailed', `${name} is not trusted: ${reason}`);
    }

    /** Ends what was started; it is started anew when it is needed again. */
    async [Symbol.asyncDispose](): Promise<void> {
        const preparing = this.#verifier;
        this.#verifier = null;
        const verifier = await preparing?.catch(() => null);
        await verifier?.[Symbol.asyncDispose]();
    }

    #prepared(): Promise<Verifier | null> {
        return (this.#verifier ??= makeVerifier(this.#host));
    }
}

/** Says why a signature does not count; null: it does. */
interface Verifier extends AsyncDisposable {
    findProblem(
        content: Uint8Array,
        signature: Uint8Array,
        signal?: AbortSignal,
    ): Promise<string | null>;
}

/** Null: there is no key to verify with. */
async function makeVerifier(host: Host): Promise<Verifier | null> {
    const keys = await readKeyrings(host);
    if (keys.length === 0) return null;
    const useGpgv = await host.programs.isInstalled('gpgv');
    if (!useGpgv && !(await host.programs.isInstalled('sqv')))
        throw new SnowError('NotSupported', 'Neither gpgv nor sqv is installed');

    const scratch = await host.files.createScratch();
    const keyrings = await Promise.all(
        keys.map((ring, index) => scratch.write(`keyring-${index}.gpg`, ring)),
    );
    const options = keyrings.map(path => `--keyring=${path}`);
    return useGpgv ? new Gpgv(host, scratch, options) : new Sqv(host, scratch, options);
}

/**
 * gpgv for every number that comes in. To start a program takes a process as large as ours longer
 * than the verification; a small shell can do it in no time, and while we wait for the network.
 */
const GPGV_LOOP = `while read -r n; do
    gpgv --homedir=/nonexistent --status-fd=1 "$@" -- "signature-$n" "content-$n" >"status-$n" 2>/dev/null
    echo "$n"
done`;
const MAX_SHELLS = 2;

class Gpgv implements Verifier {
    readonly #scratch: Scratch;
    readonly #start: () => Promise<Coprocess>;
    readonly #shells: Promise<Coprocess>[] = [];
    #count = 0;
    #unanswered = 0;

    constructor(host: Host, scratch: Scratch, options: readonly string[]) {
        this.#scratch = scratch;
        this.#start = () =>
            host.programs.startCoprocess(['sh', '-c', GPGV_LOOP, 'sh', ...options], scratch.path);
        this.#shells.push(this.#start());
    }

    async findProblem(
        content: Uint8Array,
        signature: Uint8Array,
        signal?: AbortSignal,
    ): Promise<string | null> {
        const number = String(++this.#count);
        await this.#scratch.write(`content-${number}`, content);
        await this.#scratch.write(`signature-${number}`, signature);
        if (this.#unanswered >= this.#shells.length && this.#shells.length < MAX_SHELLS)
            this.#shells.push(this.#start());
        this.#unanswered++;
        try {
            const shell = await this.#shells[this.#count % this.#shells.length];
            if ((await shell?.ask(number, signal)) !== number)
                throw new SnowError('Failed', 'gpgv was not run');
        } finally {
            this.#unanswered--;
        }
        const status = await this.#scratch.read(`status-${number}`);
        return signatureProblem(status.toString('utf8'));
    }

    async [Symbol.asyncDispose](): Promise<void> {
        for (const shell of await Promise.allSettled(this.#shells))
            if (shell.status === 'fulfilled') await shell.value[Symbol.asyncDispose]();
        await this.#scratch[Symbol.asyncDispose]();
    }
}

/** Unlike gpgv, sqv takes what a key signed before it expired. */
class Sqv implements Verifier {
    readonly #host: Host;
    readonly #scratch: Scratch;
    readonly #options: readonly string[];
    #count = 0;

    constructor(host: Host, scratch: Scratch, options: readonly string[]) {
        this.#host = host;
        this.#scratch = scratch;
        this.#options = options;
    }

    async findProblem(
        content: Uint8Array,
        signature: Uint8Array,
        signal?: AbortSignal,
    ): Promise<string | null> {
        const number = ++this.#count;
        const signed = await this.#scratch.write(`content-${number}`, content);
        const detached = await this.#scratch.write(`signature-${number}`, signature);
        const {exitCode, stderr} = await this.#host.programs.run(
            ['sqv', ...this.#options, detached, signed],
            signal ? {signal} : {},
        );
        if (exitCode === 0) return null;
        return stderr.trim().split('\n')[0] || 'it has no good signature';
    }

    [Symbol.asyncDispose](): PromiseLike<void> {
        return this.#scratch[Symbol.asyncDispose]();
    }
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
