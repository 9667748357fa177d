// SPDX-License-Identifier: GPL-2.0-or-later
// What goes wrong on the way: after each fault there is one line with the right code, the system is
// as it was, nothing is left on the disk, and the next try works.
import {execFileSync} from 'node:child_process';
import {mkdir, symlink, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import type {ErrorCode} from '../../../helper/src/host/error.ts';
import type {Host} from '../../../helper/src/host/host.ts';
import {httpLimits, localHttp} from '../../../helper/src/host/http.ts';
import {disable, enable, update} from '../../../helper/src/features/operations.ts';
import {readFeatures} from '../../../helper/src/features/state.ts';
import type {Fault} from '../../lab/faults.ts';
import {imageFileName} from '../../lab/images.ts';
import {componentDirectory, publish} from '../../lab/publication.ts';
import {makeKey} from '../../lab/signing.ts';
import {type Machine, makeMachine, quiet, unstopped} from './machine.ts';

let machine: Machine;
let before: Readonly<Record<string, string>>;

const MANIFEST = '/ext/hello/SHA256SUMS';
const IMAGE = `/ext/hello/${imageFileName('hello', '1.1')}`;
const INSTALLED = `/var/lib/extensions.d/${imageFileName('hello', '1.1', 'raw')}`;

beforeEach(async () => {
    machine = await makeMachine();
    await machine.define({name: 'hello'}, {name: 'other'});
    await machine.offer([{name: 'other', version: '3'}]);
    await machine.offer([
        {name: 'hello', version: '1.0', padding: 300_000},
        {name: 'hello', version: '1.1', padding: 300_000},
    ]);
    await enable(machine.host, 'other', {}, quiet, unstopped);
    before = await machine.snapshot();
});
afterEach(() => machine.dispose());

const turnOn = (host: Host = machine.host, signal = unstopped) =>
    enable(host, 'hello', {}, quiet, signal);

/** Enabling fails as it should; then, with what was wrong put right, it works. */
async function expectFailure(
    code: ErrorCode,
    message: RegExp,
    repair: () => Promise<unknown>,
    attempt: () => Promise<unknown> = () => turnOn(),
): Promise<void> {
    const error: unknown = await attempt().then(
        () => null,
        (reason: unknown) => reason,
    );
    expect(error).toMatchObject({name: 'SnowError', code});
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toMatch(/[\n\r]/);
    expect(await machine.snapshot()).toEqual(before);
    await repair();
    await turnOn();
    expect((await machine.merged())['hello']).toBe(INSTALLED);
}

describe('a repository that', () => {
    const network: readonly [string, string, Fault, RegExp][] = [
        ['hangs', MANIFEST, {kind: 'hang'}, /does not answer|too long/],
        ['answers 500', MANIFEST, {kind: 'status', status: 500}, /500/],
        ['answers 500 for the image', IMAGE, {kind: 'status', status: 500}, /500/],
        ['redirects for ever', IMAGE, {kind: 'redirect', to: IMAGE}, /redirects too often/],
        ['redirects nowhere', IMAGE, {kind: 'redirect', to: 'http://['}, /malformed address/],
        ['redirects to a file', IMAGE, {kind: 'redirect', to: 'file:///etc/passwd'}, /insecure/],
        ['hangs at the image', IMAGE, {kind: 'hang'}, /does not answer/],
        ['stops in the middle', IMAGE, {kind: 'stall', afterBytes: 100_000}, /stopped sending/],
        ['resets in the middle', IMAGE, {kind: 'reset', afterBytes: 100_000}, /reset|closed early/],
        ['sends too little', IMAGE, {kind: 'shorter', bytes: 10}, /closed early|length|ended/],
    ];
    it.each(network)('%s', async (_name, path, fault, message) => {
        await machine.repository.setFault(path, fault);
        await expectFailure('Network', message, () => machine.repository.clearFaults());
    });

    it('does not have the image', async () => {
        await machine.repository.setFault(IMAGE, {kind: 'status', status: 404});
        await expectFailure('NotFound', /not there/, () => machine.repository.clearFaults());
    });

    const untrue: readonly [string, Fault][] = [
        ['sends another image', {kind: 'flip', at: 200_000}],
        ['sends too much', {kind: 'longer', bytes: 1000}],
        ['sends without end', {kind: 'endless', bytes: 50_000_000}],
        ['sends a page instead of the image', {kind: 'html'}],
    ];
    it.each(untrue)('%s', async (_name, fault) => {
        await machine.repository.setFault(IMAGE, fault);
        await expectFailure('VerificationFailed', /hello_1\.1/, () =>
            machine.repository.clearFaults(),
        );
    });

    it('sends a manifest without end', async () => {
        await machine.repository.setFault(MANIFEST, {kind: 'endless', bytes: 20_000_000});
        await expectFailure('Network', /larger than/, () => machine.repository.clearFaults());
    });

    it('sends a page instead of the manifest', async () => {
        await machine.repository.setFault(MANIFEST, {kind: 'html'});
        await expectFailure('VerificationFailed', /SHA256SUMS/, () =>
            machine.repository.clearFaults(),
        );
    });

    it('is gone', async () => {
        const away = await makeMachine();
        const url = away.repository.url;
        await away.repository.close();
        const transfer = '/usr/lib/sysupdate.hello.d/hello.transfer';
        const text = (await machine.read(transfer)) ?? '';
        await machine.write({[transfer]: text.replaceAll(machine.repository.url, url)});
        before = await machine.snapshot();
        await expectFailure('Network', /refuses the connection/, async () => {
            await machine.write({[transfer]: text});
        });
        await away.key.dispose();
    });

    it('has a bomb, rightly signed', async () => {
        const bomb = execFileSync('zstd', ['-c'], {
            input: Buffer.alloc(300 * 1024 * 1024),
            maxBuffer: 1e9,
        });
        await writeFile(
            join(componentDirectory(machine.directory, 'hello'), imageFileName('hello', '1.2')),
            bomb,
        );
        await publish(machine.directory, 'hello', {key: machine.key});
        await expectFailure('VerificationFailed', /larger than/, async () => {
            await machine.offer([{name: 'hello', version: '1.1'}]);
            const {rm} = await import('node:fs/promises');
            await rm(
                join(componentDirectory(machine.directory, 'hello'), imageFileName('hello', '1.2')),
            );
            await publish(machine.directory, 'hello', {key: machine.key});
        });
    });
});

describe('a manifest', () => {
    const hash = 'a'.repeat(64);
    const lines: readonly [string, string][] = [
        ['that is cut short', `${hash}  hello_1.1_13_x86-64.raw.zst\n${hash.slice(0, 20)}`],
        ['with a path', `${hash}  ../hello_1.1_13_x86-64.raw.zst\n`],
        ['with an absolute path', `${hash}  /etc/hello_1.1_13_x86-64.raw.zst\n`],
        ['with ..', `${hash}  hello_..1_13_x86-64.raw.zst\n`],
        ['with a control character', `${hash}  hello_1.1\u0007_13_x86-64.raw.zst\n`],
        ['with an escaped path', `${hash}  %2e%2e%2fhello_1.1_13_x86-64.raw.zst\n`],
        ['with two hashes of one file', `${hash}  a.raw\n${'b'.repeat(64)}  a.raw\n`],
        ['that is out of date', `${hash}  BEST-BEFORE-2001-01-01\n`],
    ];
    it.each(lines)('%s is refused', async (_name, text) => {
        await publish(machine.directory, 'hello', {key: machine.key, manifest: text});
        await expectFailure('VerificationFailed', /SHA256SUMS:\d/, () =>
            publish(machine.directory, 'hello', {key: machine.key}),
        );
    });

    it('that offers nothing for this system is said so', async () => {
        await publish(machine.directory, 'hello', {
            key: machine.key,
            manifest: `${hash}  hello_1.1_99_riscv64.raw.zst\n`,
        });
        await expectFailure('NotFound', /No version of hello/, () =>
            publish(machine.directory, 'hello', {key: machine.key}),
        );
    });
});

describe('a signature', () => {
    const repair = () => publish(machine.directory, 'hello', {key: machine.key});

    it('that is missing', async () => {
        await publish(machine.directory, 'hello');
        await expectFailure('VerificationFailed', /not signed/, repair);
    });

    it('of somebody else', async () => {
        await using stranger = await makeKey();
        await publish(machine.directory, 'hello', {key: stranger});
        await expectFailure('VerificationFailed', /unknown key/, repair);
    });

    it('of another manifest', async () => {
        const manifest = join(componentDirectory(machine.directory, 'hello'), 'SHA256SUMS');
        await writeFile(manifest, `${'a'.repeat(64)}  hello_9_13_x86-64.raw\n`);
        await expectFailure('VerificationFailed', /does not match/, repair);
    });

    it('that is rubbish', async () => {
        const path = join(componentDirectory(machine.directory, 'hello'), 'SHA256SUMS.gpg');
        await writeFile(path, 'rubbish');
        await expectFailure('VerificationFailed', /not trusted/, repair);
    });

    it.each([
        ['of an expired key', {expired: true}, /expired/],
        ['by SHA-1', {sha1: true}, /forged|no good signature|not trusted/],
    ] as const)('%s', async (_name, options, message) => {
        await using key = await makeKey(options);
        await machine.write({
            '/usr/lib/systemd/import-pubring.gpg': await key.exportKeyring('binary'),
        });
        before = await machine.snapshot();
        await publish(machine.directory, 'hello', {key});
        await expectFailure('VerificationFailed', message, repair);
    });

    it('cannot be checked without a key', async () => {
        const ring = await machine.key.exportKeyring('binary');
        const {rm} = await import('node:fs/promises');
        await rm(join(machine.root, 'etc/systemd/import-pubring.gpg'));
        before = await machine.snapshot();
        await expectFailure('VerificationFailed', /no key/, () =>
            machine.write({'/etc/systemd/import-pubring.gpg': ring}),
        );
    });
});

describe('a disk that is full', () => {
    it('before the download', async () => {
        const full: Host = {
            ...machine.host,
            files: {
                ...machine.host.files,
                freeBytes: () => Promise.resolve(32 * 1024 * 1024 + 1e5),
            },
        };
        await expectFailure(
            'NoSpace',
            /not enough space/,
            async () => undefined,
            () => turnOn(full),
        );
    });

    // Each file operation in turn finds no space, as it would on a disk that others fill meanwhile.
    it.each(['createPending', 'linkWhole', 'writeWhole', 'sync', 'commit'] as const)(
        'at %s',
        async step => {
            const {SnowError} = await import('../../../helper/src/host/error.ts');
            const noSpace = () => Promise.reject(new SnowError('NoSpace', 'No space left'));
            const {files} = machine.host;
            const broken = {
                ...files,
                ...(step === 'sync' || step === 'commit'
                    ? {
                          createPending: async (path: string) => ({
                              ...(await files.createPending(path)),
                              [step]: noSpace,
                          }),
                      }
                    : {
                          [step]: (path: string, ...rest: unknown[]) =>
                              path.startsWith('/var/cache') || path.endsWith('transaction.json')
                                  ? (files[step] as (...all: unknown[]) => Promise<void>)(
                                        path,
                                        ...rest,
                                    )
                                  : noSpace(),
                      }),
            };
            await expectFailure(
                'NoSpace',
                /No space left/,
                async () => undefined,
                () => turnOn({...machine.host, files: broken as Host['files']}),
            );
        },
    );

    it('while unpacking', async () => {
        // What the decompressor finds when the write fails.
        const {SnowError} = await import('../../../helper/src/host/error.ts');
        const programs = {
            ...machine.host.programs,
            decompress: () =>
                Promise.reject(new SnowError('NoSpace', 'No space left while unpacking')),
        };
        await expectFailure(
            'NoSpace',
            /No space/,
            async () => undefined,
            () => turnOn({...machine.host, programs}),
        );
    });
});

describe.each([false, true])('systemd-sysext (telling origins: %s)', tellsOrigin => {
    beforeEach(() => {
        machine.sysext.tellsOrigin = tellsOrigin;
    });

    it('that fails leads back to the old links', async () => {
        machine.sysext.error = 'Failed to read metadata for image x: Package not installed';
        await expectFailure('Failed', /refresh failed: .*Package not installed/, async () => {
            delete machine.sysext.error;
        });
    });

    it('that fails keeps the version from before', async () => {
        await enable(machine.host, 'hello', {}, quiet, unstopped);
        await machine.offer([{name: 'hello', version: '1.2'}]);
        before = await machine.snapshot();
        machine.sysext.error = 'broken';
        await expect(update(machine.host, ['hello'], {}, quiet, unstopped)).rejects.toMatchObject({
            code: 'Failed',
        });
        expect(await machine.snapshot()).toEqual(before);
    });

    it('that leaves the image out, though it says all is well', async () => {
        machine.sysext.ignored.add('hello');
        await expectFailure('Failed', /did not merge hello/, async () => {
            machine.sysext.ignored.clear();
        });
    });
});

describe('definitions', () => {
    it('that are malformed are a problem of their feature only', async () => {
        await machine.write({
            '/etc/sysupdate.hello.d/hello.transfer': '[Source]\nType=nonsense\n',
        });
        before = await machine.snapshot();
        await expect(turnOn()).rejects.toMatchObject({code: 'WrongState'});
        expect(await machine.snapshot()).toEqual(before);
        const features = await readFeatures(machine.host);
        expect(features.map(({id, Problem}) => [id, Problem === ''])).toEqual([
            ['hello', false],
            ['other', true],
        ]);
        await update(machine.host, ['other'], {}, quiet, unstopped);
    });

    it('that are masked are said so', async () => {
        await mkdir(join(machine.root, 'etc/sysupdate.hello.d'), {recursive: true});
        await symlink('/dev/null', join(machine.root, 'etc/sysupdate.hello.d/hello.feature'));
        before = await machine.snapshot();
        await expect(turnOn()).rejects.toMatchObject({code: 'WrongState'});
        expect(await machine.snapshot()).toEqual(before);
    });

    it('that put images where systemd-sysext looks are refused', async () => {
        await machine.define({name: 'hello', target: {Path: '/var/lib/extensions'}});
        before = await machine.snapshot();
        await expect(turnOn()).rejects.toMatchObject({code: 'NotSupported'});
        expect(await machine.snapshot()).toEqual(before);
    });

    it('whose link is in the way as a file are left alone', async () => {
        await machine.write({'/var/lib/extensions/hello.raw': 'somebody put an image here'});
        before = await machine.snapshot();
        await expect(turnOn()).rejects.toMatchObject({code: 'WrongState'});
        expect(await machine.snapshot()).toEqual(before);
    });
});

describe('callers', () => {
    it('get Busy while another one is at work', async () => {
        await machine.repository.setFault(IMAGE, {kind: 'hang'});
        const patient = {...machine.host, http: localHttp(httpLimits)};
        const abort = new AbortController();
        const first = turnOn(patient, abort.signal).catch((error: unknown) => error);
        await expect
            .poll(async () => (await machine.repository.log()).requests.map(({path}) => path))
            .toContain(IMAGE);
        await expect(disable(machine.another(), 'other', quiet, unstopped)).rejects.toMatchObject({
            code: 'Busy',
        });
        abort.abort();
        expect(await first).toMatchObject({code: 'Cancelled'});
        await disable(machine.another(), 'other', quiet, unstopped);
    });

    it('can stop a download', async () => {
        await machine.repository.setFault(IMAGE, {kind: 'stall', afterBytes: 100_000});
        await expectFailure(
            'Cancelled',
            /stopped/,
            () => machine.repository.clearFaults(),
            () => turnOn(machine.host, AbortSignal.timeout(250)),
        );
    });
});
